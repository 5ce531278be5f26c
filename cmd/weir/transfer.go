package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"

	"github.com/spf13/cobra"
)

// importText sends a file to an import and returns the answer.
func (cl *client) importText(c *cobra.Command, path, file string) ([]byte, error) {
	if file == "" {
		return nil, errors.New("want -f FILE")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]string{"content": string(text)})
	if err != nil {
		return nil, err
	}
	return cl.call(c, http.MethodPost, path, body)
}

func importRuleset() *cobra.Command {
	var file string
	c := clientCommand("ruleset -f FILE", "Load streams, tables and rules", cobra.NoArgs, func(c *cobra.Command, cl *client, _ []string) error {
		text, err := cl.importText(c, "/ruleset/import", file)
		if err != nil {
			return fmt.Errorf("import ruleset: %w", err)
		}
		line(c, text)
		return nil
	})
	c.Flags().StringVarP(&file, "file", "f", "", "file to load")
	return c
}

func importData() *cobra.Command {
	var file, partial, stop string
	c := clientCommand("data -f FILE [-p true] [-s true]", "Load everything that can be defined", cobra.NoArgs, func(c *cobra.Command, cl *client, _ []string) error {
		part, err := strconv.ParseBool(partial)
		if err != nil {
			return fmt.Errorf("flag -p: want true or false, not %q", partial)
		}
		end, err := strconv.ParseBool(stop)
		if err != nil {
			return fmt.Errorf("flag -s: want true or false, not %q", stop)
		}
		path := "/data/import?"
		if part {
			path += "partial=1&"
		}
		if end {
			path += "stop=1"
		}
		text, err := cl.importText(c, path, file)
		if err != nil {
			return fmt.Errorf("import data: %w", err)
		}
		return indent(c.OutOrStdout(), text)
	})
	f := c.Flags()
	f.StringVarP(&file, "file", "f", "", "file to load")
	f.StringVarP(&partial, "partial", "p", "false", "add to what is there; without it everything is deleted first")
	f.StringVarP(&stop, "stop", "s", "false", "stop the engine afterwards")
	return c
}

func importStatus() *cobra.Command {
	return clientCommand("import", "Show the faults of the last import", cobra.NoArgs, func(c *cobra.Command, cl *client, _ []string) error {
		text, err := cl.call(c, http.MethodGet, "/data/import/status", nil)
		if err != nil {
			return err
		}
		return indent(c.OutOrStdout(), text)
	})
}

// save writes an export to a file and says how much it is.
func save(c *cobra.Command, file string, text []byte) error {
	var d struct{ Streams, Tables, Rules map[string]json.RawMessage }
	if err := json.Unmarshal(text, &d); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	fmt.Fprintf(c.OutOrStdout(), "exported %d streams, %d tables and %d rules\n", len(d.Streams), len(d.Tables), len(d.Rules))
	return nil
}

func exportRuleset() *cobra.Command {
	return clientCommand("ruleset FILE", "Write streams, tables and rules", cobra.ExactArgs(1), func(c *cobra.Command, cl *client, args []string) error {
		text, err := cl.call(c, http.MethodPost, "/ruleset/export", nil)
		if err != nil {
			return err
		}
		return save(c, args[0], text)
	})
}

func exportData() *cobra.Command {
	var rules string
	c := clientCommand(`data FILE [-r '["rule1"]']`, "Write everything that is defined, or what some rules need", cobra.ExactArgs(1), func(c *cobra.Command, cl *client, args []string) error {
		method, body := http.MethodGet, []byte(nil)
		if rules != "" {
			method, body = http.MethodPost, []byte(rules)
		}
		text, err := cl.call(c, method, "/data/export", body)
		if err != nil {
			return err
		}
		return save(c, args[0], text)
	})
	c.Flags().StringVarP(&rules, "rules", "r", "", "JSON list of rules")
	return c
}
