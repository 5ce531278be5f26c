package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-engine/weir/planner/ruledef"
)

// ruleArgs returns the name and the text of a rule: NAME JSON, NAME -f FILE, or
// without a name if the text has an id. The text gets the name as its id.
func ruleArgs(file string, args []string) (name string, text []byte, err error) {
	if len(args) > 0 && !strings.HasPrefix(strings.TrimSpace(args[0]), "{") {
		name, args = args[0], args[1:]
	}
	def, err := definition(file, args)
	if err != nil {
		return "", nil, err
	}
	if def == "" {
		return "", nil, errors.New("want the JSON of the rule, or -f FILE")
	}
	text = []byte(def)
	var head struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return "", nil, fmt.Errorf("the rule is not JSON: %w", err)
	}
	switch {
	case name == "" && head.ID == "":
		return "", nil, errors.New("want a name, or an id in the rule")
	case name == "":
		name = head.ID
	case head.ID == "":
		text, err = ruledef.Set(text, "id", name)
	case head.ID != name:
		return "", nil, fmt.Errorf("the rule is called %q in its text, not %q", head.ID, name)
	}
	return name, text, err
}

func createRule() *cobra.Command {
	var file string
	c := clientCommand("rule NAME JSON | NAME -f FILE", "Create a rule", cobra.ArbitraryArgs, func(c *cobra.Command, cl *client, args []string) error {
		name, text, err := ruleArgs(file, args)
		if err != nil {
			return fmt.Errorf("create rule: %w", err)
		}
		answer, err := cl.call(c, http.MethodPost, "/rules", text)
		if err != nil {
			return fmt.Errorf("Create rule %s error : %w.", name, err) // in the words of kuiper
		}
		fmt.Fprintf(c.OutOrStdout(), "Rule %s was created successfully, please use 'weir getstatus rule %s' command to get rule status.\n", name, name)
		if _, warnings, ok := strings.Cut(string(answer), "\n"); ok {
			line(c, []byte(warnings))
		}
		return nil
	})
	c.Flags().StringVarP(&file, "file", "f", "", "file that holds the JSON of the rule")
	return c
}

func validateRule() *cobra.Command {
	var file string
	c := clientCommand("rule [NAME] JSON | [NAME] -f FILE", "Check a rule", cobra.ArbitraryArgs, func(c *cobra.Command, cl *client, args []string) error {
		_, text, err := ruleArgs(file, args)
		if err != nil {
			return fmt.Errorf("validate rule: %w", err)
		}
		answer, err := cl.call(c, http.MethodPost, "/rules/validate", text)
		if err != nil {
			return err
		}
		fmt.Fprintln(c.OutOrStdout(), "The rule has been successfully validated and is confirmed to be correct.")
		var v struct{ Warnings []string }
		if json.Unmarshal(answer, &v) == nil {
			for _, w := range v.Warnings {
				line(c, []byte("warning: "+w))
			}
		}
		return nil
	})
	c.Flags().StringVarP(&file, "file", "f", "", "file that holds the JSON of the rule")
	return c
}

func showRules() *cobra.Command {
	return clientCommand("rules", "List the rules and their states", cobra.NoArgs, func(c *cobra.Command, cl *client, _ []string) error {
		text, err := cl.call(c, http.MethodGet, "/rules", nil)
		if err != nil {
			return err
		}
		if strings.TrimSpace(string(text)) == "[]" {
			fmt.Fprintln(c.OutOrStdout(), "No rule definitions are found.")
			return nil
		}
		return indent(c.OutOrStdout(), text)
	})
}

// describeRule prints a rule with all options, also those that it leaves to their
// defaults.
func describeRule() *cobra.Command {
	return clientCommand("rule NAME", "Show a rule with all its options", cobra.ExactArgs(1), func(c *cobra.Command, cl *client, args []string) error {
		text, err := cl.call(c, http.MethodGet, "/rules"+segment(args[0]), nil)
		if err != nil {
			return err
		}
		def, err := ruledef.ParseFor(args[0], text, ruledef.DefaultOptions())
		if err != nil {
			return fmt.Errorf("describe rule: %w", err)
		}
		if text, err = ruledef.Set(text, "options", resolved(def.Options)); err != nil {
			return fmt.Errorf("describe rule: %w", err)
		}
		return indent(c.OutOrStdout(), text)
	})
}

// ruleOptionsJSON are all options of a rule as kuiper shows them.
type ruleOptionsJSON struct {
	Debug              bool           `json:"debug"`
	LogFilename        string         `json:"logFilename"`
	IsEventTime        bool           `json:"isEventTime"`
	LateTolerance      string         `json:"lateTolerance"`
	MaxFutureDrift     string         `json:"maxFutureDrift"`
	Concurrency        int            `json:"concurrency"`
	BufferLength       int            `json:"bufferLength"`
	SendMetaToSink     bool           `json:"sendMetaToSink"`
	SendNilField       bool           `json:"sendNilField"`
	SendError          bool           `json:"sendError"`
	QoS                int            `json:"qos"`
	CheckpointInterval string         `json:"checkpointInterval"`
	RestartStrategy    map[string]int `json:"restartStrategy"`
	Cron               string         `json:"cron"`
	Duration           string         `json:"duration"`
}

func resolved(o ruledef.Options) ruleOptionsJSON {
	r := ruleOptionsJSON{
		Debug: o.Debug, LogFilename: o.LogFilename, IsEventTime: o.IsEventTime, LateTolerance: o.LateTolerance.String(), MaxFutureDrift: o.MaxFutureDrift.String(),
		Concurrency: o.Concurrency, BufferLength: o.BufferLength, SendMetaToSink: o.SendMetaToSink, SendNilField: o.SendNilField,
		SendError: o.SendError, QoS: o.QoS, CheckpointInterval: o.CheckpointInterval.String(), RestartStrategy: map[string]int{},
		Cron: o.Cron, Duration: o.Duration.String(),
	}
	if o.RestartAttempts > 0 {
		r.RestartStrategy["attempts"] = o.RestartAttempts
	}
	return r
}

func dropRule() *cobra.Command {
	var outputs string
	c := clientCommand("rule NAME", "Remove a rule", cobra.ExactArgs(1), func(c *cobra.Command, cl *client, args []string) error {
		path := "/rules" + segment(args[0])
		if outputs != "" {
			path += "?outputs=" + url.QueryEscape(outputs)
		}
		text, err := cl.call(c, http.MethodDelete, path, nil)
		if err != nil {
			return err
		}
		line(c, text)
		return nil
	})
	c.Flags().StringVar(&outputs, "outputs", "", "what becomes of outputs that wait: keep (they are delivered, the default) or drop")
	return c
}

func controlRule(verb string) *cobra.Command {
	return clientCommand("rule NAME", strings.ToUpper(verb[:1])+verb[1:]+" a rule", cobra.ExactArgs(1), func(c *cobra.Command, cl *client, args []string) error {
		text, err := cl.call(c, http.MethodPost, "/rules"+segment(args[0])+"/"+verb, nil)
		if err != nil {
			return err
		}
		if verb == "restart" { // kuiper's text has a dot that REST's has not
			text = []byte(strings.TrimSuffix(strings.TrimSpace(string(text)), ".") + ".")
		}
		line(c, text)
		return nil
	})
}

// showRuleJSON returns a command that prints what a path below a rule answers.
func showRuleJSON(path, short string) *cobra.Command {
	return clientCommand("rule NAME", short, cobra.ExactArgs(1), func(c *cobra.Command, cl *client, args []string) error {
		text, err := cl.call(c, http.MethodGet, "/rules"+segment(args[0])+path, nil)
		if err != nil {
			return err
		}
		return indent(c.OutOrStdout(), text)
	})
}

func ruleStatus() *cobra.Command { return showRuleJSON("/status", "Show how a rule runs") }

func ruleTopo() *cobra.Command { return showRuleJSON("/topo", "Show the graph of a rule") }

func explainRule() *cobra.Command {
	return clientCommand("rule NAME", "Show the plan of a rule", cobra.ExactArgs(1), func(c *cobra.Command, cl *client, args []string) error {
		text, err := cl.call(c, http.MethodGet, "/rules"+segment(args[0])+"/explain", nil)
		if err != nil {
			return err
		}
		line(c, text)
		return nil
	})
}
