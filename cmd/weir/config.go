package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/weir-engine/weir/internal/config"
	"github.com/weir-engine/weir/planner"
)

func newConfig() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Look at settings"}
	check := &cobra.Command{
		Use: "check [FILE]", Short: "Report every fault of the settings", Args: cobra.MaximumNArgs(1),
		Long: "Report every fault of the settings: those of the file, with the environment and the flags over it, as serve would use them.",
	}
	load := addSettings(check)
	list := check.Flags().Bool("list", false, "print every key, its value and where it comes from")
	check.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			if err := c.Flags().Set("config", args[0]); err != nil {
				return err
			}
		}
		cfg, err := load()
		if err != nil {
			return err
		}
		printConfig(c, cfg, *list)
		return nil
	}
	c.AddCommand(check)
	return c
}

func printConfig(c *cobra.Command, cfg *config.Config, list bool) {
	for _, w := range cfg.Warnings {
		fmt.Fprintln(c.ErrOrStderr(), "warning:", w)
	}
	if list {
		for _, l := range cfg.List() {
			fmt.Fprintln(c.OutOrStdout(), l)
		}
		return
	}
	fmt.Fprintln(c.OutOrStdout(), "the settings are good")
}

func newFunctions(w wiring) *cobra.Command {
	return &cobra.Command{
		Use: "functions [NAME...]", Short: "List what SQL can call",
		RunE: func(c *cobra.Command, args []string) error {
			want := map[string]bool{}
			for _, a := range args {
				want[a] = true
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			group := ""
			list := w.functions()
			slices.SortStableFunc(list, func(a, b planner.FuncSig) int { return strings.Compare(a.Group, b.Group) })
			for _, f := range list {
				if len(args) > 0 && !want[f.Name] {
					continue
				}
				delete(want, f.Name)
				if f.Group != group {
					group = f.Group
					fmt.Fprintf(t, "%s\n", group)
				}
				fmt.Fprintf(t, "  %s\t%s\n", f.Signature, f.Doc)
			}
			if err := t.Flush(); err != nil {
				return err
			}
			for name := range want {
				return fmt.Errorf("functions: no function %q", name)
			}
			return nil
		},
	}
}
