package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// maxAnswer bounds what a client reads of an answer, in bytes.
const maxAnswer = 1 << 30

// client calls the REST interface of a running engine.
type client struct {
	base  string
	token string
	http  http.Client
}

// clientFlags are the flags of every client command.
func clientFlags(c *cobra.Command) {
	f := c.Flags()
	server := os.Getenv("WEIR_SERVER")
	if server == "" {
		server = "http://127.0.0.1:9081"
	}
	f.String("server", server, "REST address of the engine; also WEIR_SERVER")
	f.String("token", "", "token if the engine asks for one; also WEIR_TOKEN")
	f.Duration("timeout", 2*time.Minute, "longest wait for an answer")
}

// newClient returns the client that the flags of c describe, and says where it
// connects, as kuiper does; not on standard output, which is for answers.
func newClient(c *cobra.Command) (*client, error) {
	f := c.Flags()
	server, err := f.GetString("server")
	if err != nil {
		return nil, err
	}
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("flag --server: want http://host:port, not %q", server)
	}
	cl := &client{base: strings.TrimSuffix(u.String(), "/")}
	if cl.token, err = f.GetString("token"); err != nil {
		return nil, err
	}
	if cl.token == "" {
		cl.token = os.Getenv("WEIR_TOKEN")
	}
	if cl.http.Timeout, err = f.GetDuration("timeout"); err != nil {
		return nil, err
	}
	fmt.Fprintf(c.ErrOrStderr(), "Connecting to %s... \n", u.Host)
	return cl, nil
}

// apiError is an answer that is an error.
type apiError struct {
	status int
	text   string
}

func (e *apiError) Error() string { return e.text }

// call sends one request and returns the answer's body. An error answer is an
// *apiError with the engine's message.
func (cl *client) call(c *cobra.Command, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(c.Context(), method, cl.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if cl.token != "" {
		req.Header.Set("Authorization", cl.token)
	}
	res, err := cl.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("call the engine: %w", err)
	}
	defer res.Body.Close()
	defer cl.http.CloseIdleConnections() // one call is all that a command makes, or nearly
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if res.StatusCode >= 400 {
		var e struct{ Message string }
		if json.Unmarshal(text, &e) != nil || e.Message == "" {
			e.Message = strings.TrimSpace(string(text))
		}
		if e.Message == "" {
			e.Message = res.Status
		}
		return nil, &apiError{res.StatusCode, e.Message}
	}
	return text, nil
}

// get calls path and decodes the JSON of the answer.
func (cl *client) get(c *cobra.Command, path string, v any) error {
	text, err := cl.call(c, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// segment is a name as a part of a path.
func segment(name string) string { return "/" + url.PathEscape(name) }

// clientCommand returns a command that calls the engine.
func clientCommand(use, short string, args cobra.PositionalArgs, do func(c *cobra.Command, cl *client, args []string) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: args}
	clientFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		cl, err := newClient(c)
		if err != nil {
			return err
		}
		return do(c, cl, args)
	}
	return c
}

// parent returns a command that only has commands below it.
func parent(use, short string, below ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return fmt.Errorf("%s: say what: %s", use, names(below))
	}}
	c.AddCommand(below...)
	return c
}

func names(commands []*cobra.Command) string {
	var list []string
	for _, c := range commands {
		list = append(list, c.Name())
	}
	return strings.Join(list, ", ")
}

// clientCommands returns the commands of kuiper, and those about what is weir's own.
func clientCommands() []*cobra.Command {
	return []*cobra.Command{
		parent("create", "Create a stream, a table or a rule", createStream("stream"), createStream("table"), createRule()),
		parent("show", "List streams, tables or rules", showStreams("stream"), showStreams("table"), showRules()),
		parent("describe", "Show the definition of a stream, a table or a rule", describeStream("stream"), describeStream("table"), describeRule()),
		parent("drop", "Remove a stream, a table or a rule", dropStream("stream"), dropStream("table"), dropRule()),
		parent("getstatus", "Show how a rule runs, or what the last import did", ruleStatus(), importStatus()),
		parent("gettopo", "Show the graph of a rule", ruleTopo()),
		parent("explain", "Show the plan of a rule", explainRule()),
		parent("start", "Start a rule", controlRule("start")),
		parent("stop", "Stop a rule", controlRule("stop")),
		parent("restart", "Restart a rule", controlRule("restart")),
		parent("validate", "Check a rule without creating it", validateRule()),
		parent("import", "Load definitions from a file", importRuleset(), importData()),
		parent("export", "Write definitions to a file", exportRuleset(), exportData()),
		newOutboxes(),
	}
}

// indent prints JSON for people.
func indent(w io.Writer, text []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(text), "", "  "); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

// line prints text that has no newline of its own.
func line(c *cobra.Command, text []byte) {
	fmt.Fprintln(c.OutOrStdout(), strings.TrimSuffix(string(text), "\n"))
}
