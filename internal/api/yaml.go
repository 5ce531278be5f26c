package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// Bounds of YAML: its reader calls itself for each level, and makes some hundred bytes
// of each token.
const (
	maxNesting = 64
	maxTokens  = 1 << 19
)

// readYAML reads v from YAML without aliases.
func readYAML(text []byte, v *datasetV2) error {
	if err := checkYAML(string(text)); err != nil {
		return fmt.Errorf("yaml: %w", err)
	}
	text, err := yaml.YAMLToJSON(text)
	if err != nil {
		return fmt.Errorf("yaml: %w", err)
	}
	return json.Unmarshal(text, v)
}

// checkYAML refuses a text that would take memory or the stack without bound.
func checkYAML(text string) error {
	var s scanner.Scanner
	s.Init(text)
	var l levels
	for n := 0; n <= maxTokens; {
		list, err := s.Scan()
		for _, t := range list {
			if err := l.add(t); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) { // other errors are tokens, too, and the reader's to tell
			return nil
		}
		n += len(list)
	}
	return fmt.Errorf("more than %d words and signs: JSON may be longer", maxTokens)
}

// levels counts how deep a token stands, one after the other.
type levels struct {
	columns []int // of what the token may be part of outside of brackets: what begins further left
	open    int   // brackets
	colons  int   // in brackets, since the last bracket or comma
}

func (l *levels) add(t *token.Token) error {
	switch t.Type {
	case token.AliasType, token.AnchorType, token.TagType, token.MappingKeyType:
		return fmt.Errorf("%q: aliases, anchors, tags and keys with ? are not supported", t.Value)
	case token.SequenceStartType, token.MappingStartType:
		l.open, l.colons = l.open+1, 0
	case token.SequenceEndType, token.MappingEndType:
		l.open, l.colons = max(l.open-1, 0), 0
	case token.CollectEntryType:
		l.colons = 0
	case token.MappingValueType, token.SequenceEntryType:
		l.colons++
	}
	if l.open == 0 {
		l.colons = 0
		n := len(l.columns)
		for n > 0 && l.columns[n-1] >= t.Position.Column {
			n--
		}
		l.columns = append(l.columns[:n], t.Position.Column)
	}
	if len(l.columns)+l.open+l.colons > maxNesting {
		return fmt.Errorf("nested more than %d levels", maxNesting)
	}
	return nil
}
