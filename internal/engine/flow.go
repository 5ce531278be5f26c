package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/graph"
)

// A graph can have sources with options of their own. They are streams like
// others, but nobody created them: they are there while a rule with them runs, and
// are listed nowhere. Their names are made of their definitions, so that equal
// nodes of several rules are one stream.

// catalog resolves names for the binder: the streams of a graph, then those that
// were created. Whoever uses it holds the lock of the engine.
type catalog struct {
	e      *Engine
	inline map[string]*stream
}

var _ planner.Catalog = catalog{}

// Source implements planner.Catalog.
func (c catalog) Source(name string) (*planner.Source, bool) {
	if s := c.inline[name]; s != nil {
		return c.e.plannedLocked(s), true
	}
	return c.e.sourceLocked(name)
}

// flowSourcesLocked checks the sources of a graph and makes the streams that it
// defines.
func (e *Engine) flowSourcesLocked(c *compiled) error {
	e.mu.AssertRHeld()
	for _, src := range c.flow.Sources {
		if err := e.flowSourceLocked(c, src); err != nil {
			return fmt.Errorf("node %q: %w", src.Node, err)
		}
	}
	return nil
}

func (e *Engine) flowSourceLocked(c *compiled, src graph.Source) error {
	e.mu.AssertRHeld()
	if src.Create != nil {
		s := &stream{name: src.Name, only: []string{src.Name}, def: src.Create, inline: true}
		if err := e.checkType(s); err != nil {
			return err
		}
		err := e.checkDefinition(src.Create)
		if err == nil {
			s.message, err = e.messageOf(src.Create)
		}
		if err == nil {
			err = e.checkRunsLocked(s)
		}
		if err != nil {
			return fmt.Errorf("props: %w", err)
		}
		if c.inline == nil {
			c.inline = map[string]*stream{}
		}
		c.inline[src.Name] = s
		return nil
	}
	s := e.mu.streams[src.Name]
	switch {
	case s == nil || s.dropped || s.inline:
		return fmt.Errorf("fail to get stream %s, please check if stream is created", src.Name)
	case src.Table && !s.def.Table:
		return fmt.Errorf("stream %s is not a table", src.Name)
	case !src.Table && s.def.Table:
		return fmt.Errorf("table %s is not a stream", src.Name)
	case src.Type != "" && !strings.EqualFold(src.Type, s.typ()):
		return fmt.Errorf("source type %s does not match the stream type %s", src.Type, s.typ())
	}
	return nil
}

// wordFault words an error about a statement of a graph, which its user did not write.
func (c *compiled) wordFault(q *graph.Query, err error) error {
	if c.def.Graph == nil {
		return err
	}
	names := make([]string, len(q.Actions))
	for i, a := range q.Actions {
		names[i] = fmt.Sprintf("%q", a.Node)
	}
	text := fmt.Sprintf("Rule %s has an invalid graph: the way to %s, as a statement %s: %v", c.def.ID, strings.Join(names, ", "), q.SQL, err)
	return errors.New(c.flow.Named(text))
}
