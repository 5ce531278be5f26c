package rowref

import (
	"slices"
	"strconv"

	"github.com/weir-engine/weir/planner/sql"
)

// project computes the SELECT list for the scope.
func (s *scope) project() (map[string]any, error) {
	out := map[string]any{}
	unnamed := 0
	for _, f := range s.r.sel.Fields {
		if f.Star {
			if err := s.star(f, out); err != nil {
				return nil, err
			}
			continue
		}
		name := f.Alias
		if name == "" {
			switch e := f.Expr.(type) {
			case *sql.Ident:
				name = e.Name
			case *sql.Call:
				name = e.Name
			default:
				name = "kuiper_field_" + strconv.Itoa(unnamed)
				unnamed++
			}
		}
		if id, ok := f.Expr.(*sql.Ident); ok && f.Alias == "" && (id.Stream != "" || s.r.aliases[id.Name] == nil) {
			s.plain(out, id.Stream, name)
			continue
		}
		if f.Alias != "" {
			s.inside = append(s.inside, f.Alias)
		}
		v, err := s.eval(f.Expr)
		if f.Alias != "" {
			s.inside = s.inside[:len(s.inside)-1]
		}
		if err != nil {
			return nil, err
		}
		switch {
		case f.Invisible:
		case v == nil && s.over && s.collects(f.Expr): // of an empty window: the one null that is written
			out[name] = nil
		default:
			s.put(out, name, v)
		}
	}
	return out, nil
}

// collects tells whether e is collect, or the name of it.
func (s *scope) collects(e sql.Expr) bool {
	for seen := map[string]bool{}; ; {
		name, ok := e.(*sql.Ident)
		if !ok || name.Stream != "" || seen[name.Name] || s.r.aliases[name.Name] == nil {
			break
		}
		seen[name.Name] = true // a AS a is the column
		e = s.r.aliases[name.Name]
	}
	call, ok := e.(*sql.Call)
	return ok && call.Name == "collect"
}

// plain writes a bare column: null as null, missing not at all.
func (s *scope) plain(out map[string]any, stream, name string) {
	if v, ok := s.r.column(s.row, stream, name); ok || s.r.opt.SendNil {
		out[name] = v
	}
}

// put writes a computed field, which is left out if it is null. A column of the
// same name that * gave stays then if the stream has no schema; declared columns
// are replaced one by one.
func (s *scope) put(out map[string]any, name string, v any) {
	switch {
	case v != nil || s.r.opt.SendNil:
		out[name] = v
	case s.r.opt.Columns != nil:
		delete(out, name)
	}
}

// star writes the whole row.
func (s *scope) star(f sql.Field, out map[string]any) error {
	replaced := func(name string) bool {
		return slices.ContainsFunc(f.Replace, func(x sql.Field) bool { return x.Alias == name })
	}
	if s.r.opt.Columns == nil {
		for k, v := range s.r.merged(s.row, f.Stream) {
			if !slices.Contains(f.Except, k) || replaced(k) {
				out[k] = v
			}
		}
	} else {
		for _, k := range s.r.opt.Columns {
			if !slices.Contains(f.Except, k) {
				s.plain(out, "", k)
			}
		}
	}
	for _, x := range f.Replace {
		v, err := s.eval(x.Expr)
		if err != nil {
			return err
		}
		s.put(out, x.Alias, v)
	}
	return nil
}
