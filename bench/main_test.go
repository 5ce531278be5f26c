package bench

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"testing"

	"go.uber.org/goleak"
)

// engineEnv makes the test binary an engine: what weir serve is for weir bench.
const engineEnv = "WEIR_BENCH_ENGINE"

func TestMain(m *testing.M) {
	if os.Getenv(engineEnv) != "" {
		os.Exit(beEngine(os.Args[1:]))
	}
	// What log sinks write is not to be mixed with results.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

// beEngine runs an engine until it is interrupted; args are those that a process
// adds to Command.
func beEngine(args []string) int {
	var addr, dir string
	for i := 0; i+1 < len(args); i++ {
		switch args[i] {
		case "--rest":
			addr = args[i+1]
		case "--data":
			dir = args[i+1]
		}
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	e, err := startLocal(addr, dir, log)
	if err == nil {
		<-stop
		err = e.stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// separate is an engine as a process of its own: this test binary once more.
func separate(tb testing.TB) Engine {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	e := Engine{Command: []string{self}, Env: []string{engineEnv + "=1"}}
	if CanPin() {
		e.CPUs = "0"
	}
	return e
}
