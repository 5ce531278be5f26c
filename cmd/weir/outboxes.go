package main

import (
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-engine/weir/internal/api"
)

// newOutboxes lists what waits for destinations, and below it are the commands that
// decide what becomes of what no rule sends any more.
func newOutboxes() *cobra.Command {
	c := clientCommand("outboxes", "List what waits for destinations", cobra.NoArgs, func(c *cobra.Command, cl *client, _ []string) error {
		var list []api.Outbox
		if err := cl.get(c, "/outboxes", &list); err != nil {
			return err
		}
		if len(list) == 0 {
			fmt.Fprintln(c.OutOrStdout(), "No outboxes are found.")
			return nil
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tSTATE\tMESSAGES\tBYTES\tOLDEST\tRULES\tDESTINATION")
		for _, o := range list {
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", o.ID, o.State, o.Messages, o.Bytes, oldest(o.OldestMs), senders(&o), o.Destination)
		}
		return w.Flush()
	})
	c.AddCommand(
		clientCommand("deliver ID", "Deliver what waits for a destination that no rule uses", cobra.ExactArgs(1), func(c *cobra.Command, cl *client, args []string) error {
			text, err := cl.call(c, http.MethodPost, "/outboxes"+segment(args[0])+"/deliver", nil)
			if err != nil {
				return err
			}
			line(c, text)
			return nil
		}),
		clientCommand("drop ID", "Give up what waits for a destination that no rule uses", cobra.ExactArgs(1), func(c *cobra.Command, cl *client, args []string) error {
			text, err := cl.call(c, http.MethodDelete, "/outboxes"+segment(args[0]), nil)
			if err != nil {
				return err
			}
			line(c, text)
			return nil
		}))
	return c
}

// oldest is a time for people, - if it is not known.
func oldest(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(ms).Format(time.RFC3339)
}

// senders names the rules of a destination, or the one that was.
func senders(o *api.Outbox) string {
	switch {
	case len(o.Rules) > 3:
		return fmt.Sprintf("%s and %d more", strings.Join(o.Rules[:3], ","), o.RulesTotal-3)
	case len(o.Rules) > 0:
		return strings.Join(o.Rules, ",")
	case o.Since != "":
		return "(" + o.Since + ")"
	}
	return "-"
}
