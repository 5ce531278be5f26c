package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-engine/weir/internal/api"
)

// execute runs one statement about streams or tables and prints what it answers.
func (cl *client) execute(c *cobra.Command, kind, sql string) error {
	body, err := json.Marshal(map[string]string{"sql": sql})
	if err != nil {
		return err
	}
	text, err := cl.call(c, http.MethodPost, "/"+kind+"s", body)
	if err != nil {
		return err
	}
	line(c, text)
	return nil
}

// definition returns the text of -f FILE, or the arguments as one text.
func definition(file string, args []string) (string, error) {
	if file == "" {
		return strings.TrimSpace(strings.Join(args, " ")), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(text)), nil
}

func createStream(kind string) *cobra.Command {
	var file string
	c := clientCommand(kind+" NAME '(FIELDS) WITH (OPTIONS)' | -f FILE", "Create a "+kind, cobra.ArbitraryArgs, func(c *cobra.Command, cl *client, args []string) error {
		sql, err := definition(file, args)
		if err != nil {
			return fmt.Errorf("create %s: %w", kind, err)
		}
		if sql == "" {
			return fmt.Errorf("create %s: want a name and its definition", kind)
		}
		// A file may hold the whole statement, or what follows its first words.
		if word, _, _ := strings.Cut(strings.ToUpper(sql), " "); strings.TrimSpace(word) != "CREATE" {
			sql = "CREATE " + strings.ToUpper(kind) + " " + sql
		}
		return cl.execute(c, kind, sql)
	})
	c.Flags().StringVarP(&file, "file", "f", "", "file that holds the definition")
	return c
}

func dropStream(kind string) *cobra.Command {
	return clientCommand(kind+" NAME", "Remove a "+kind, cobra.ExactArgs(1), func(c *cobra.Command, cl *client, args []string) error {
		return cl.execute(c, kind, "DROP "+strings.ToUpper(kind)+" "+args[0])
	})
}

func showStreams(kind string) *cobra.Command {
	return clientCommand(kind+"s", "List the "+kind+"s", cobra.NoArgs, func(c *cobra.Command, cl *client, _ []string) error {
		var list []string
		if err := cl.get(c, "/"+kind+"s", &list); err != nil {
			return err
		}
		if len(list) == 0 {
			fmt.Fprintf(c.OutOrStdout(), "No %s definitions are found.\n", kind)
		}
		for _, name := range list {
			fmt.Fprintln(c.OutOrStdout(), name)
		}
		return nil
	})
}

func describeStream(kind string) *cobra.Command {
	var asJSON bool
	c := clientCommand(kind+" NAME", "Show the definition of a "+kind, cobra.ExactArgs(1), func(c *cobra.Command, cl *client, args []string) error {
		var def api.StreamDef
		if err := cl.get(c, "/"+kind+"s"+segment(args[0]), &def); err != nil {
			return err
		}
		if asJSON {
			return describeJSON(c, def)
		}
		line(c, []byte(def.Text()))
		return nil
	})
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// describeJSON prints a definition as kuiper's -json does: options keep the colon
// of the text form, and are text.
func describeJSON(c *cobra.Command, def api.StreamDef) error {
	type field struct{ Name, Type string }
	out := struct {
		Fields  []field
		Options map[string]string
	}{[]field{}, map[string]string{}}
	for _, f := range def.Fields {
		out.Fields = append(out.Fields, field{f.Name, f.TypeText()})
	}
	for _, o := range def.Options {
		out.Options[o.Key+":"] = fmt.Sprint(o.Value)
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	line(c, text)
	return nil
}
