// Command weir is the rule engine and everything that one does with it: it serves
// (weir serve), it is the client of a running engine in the words of eKuiper's
// kuiper (weir create stream, weir show rules ...), and it has the tools around
// them (weir sim, weir config check, weir functions).
//
// The commands only read flags and settings, start what other packages do, and
// turn signals into an orderly end. Clients speak REST and nothing else.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // gateways have no files of time zones

	"github.com/spf13/cobra"
)

// version is set by the linker: -X main.version=1.2.3.
var version = ""

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, production(), os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command line and returns the exit status.
func run(ctx context.Context, w wiring, args []string, stdout, stderr io.Writer) int {
	root := newRoot(w)
	root.SetArgs(longFlags(args))
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// longFlags gives the flags that kuiper spells with one dash their second one.
func longFlags(args []string) []string {
	out := append([]string(nil), args...)
	for i, a := range out {
		if a == "-json" {
			out[i] = "--json"
		}
	}
	return out
}

// newRoot returns the tree of commands.
func newRoot(w wiring) *cobra.Command {
	root := &cobra.Command{
		Use: "weir", Short: "Thousands of SQL rules over live messages in one pass",
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	if w.open != nil {
		root.AddCommand(newServe(w), newDemo(w))
	}
	root.AddCommand(newSim(), newConfig(), newVersion(), newFunctions(w))
	root.AddCommand(w.tools...)
	root.AddCommand(clientCommands()...)
	return root
}

// buildVersion returns the version of the binary: that of the linker, or of the
// module.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) { fmt.Fprintln(c.OutOrStdout(), buildVersion()+suffix) },
	}
}
