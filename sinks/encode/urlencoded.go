package encode

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
)

// appendForm appends an object, alone or in a list, as a query string: its keys in
// order, a list as its key once for each element, null as the empty text. Objects
// are JSON.
func (e *Encoder) appendForm(dst []byte, x any) ([]byte, error) {
	rows, ok := objects(x)
	switch {
	case !ok:
		return dst, errNotObject("format urlencoded", x)
	case len(rows) != 1:
		return dst, fmt.Errorf("format urlencoded: want one object a message, got %d: use sendSingle", len(rows))
	}
	var cell []byte
	start := len(dst)
	add := func(key string, v any) error {
		var err error
		if cell, err = appendTreeCell(cell[:0], v); err != nil {
			return err
		}
		if len(dst) > start {
			dst = append(dst, '&')
		}
		dst = append(append(dst, url.QueryEscape(key)...), '=')
		dst = append(dst, url.QueryEscape(string(cell))...)
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(rows[0])) {
		list, ok := rows[0][key].([]any)
		if !ok {
			list = []any{rows[0][key]}
		}
		for _, v := range list {
			if err := add(key, v); err != nil {
				return dst, fmt.Errorf("format urlencoded: key %q: %w", key, err)
			}
		}
	}
	return dst, nil
}
