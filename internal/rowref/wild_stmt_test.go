package rowref

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-engine/weir/planner/sql"
)

// from chooses the sources.
func (g *wild) from() string {
	g.sources = []string{"st"}
	if g.chance(55) {
		return "st"
	}
	text := "st"
	join := func(name, label, kind string) {
		on := g.f("%s.id = %s.id", g.one(g.sources...), label)
		if g.chance(20) && !g.tame {
			on = g.f("%s.%s = %s.%s", g.one(g.sources...), g.one("a", "s", "p", "l"), label, g.one("c", "t", "b"))
		}
		g.sources = append(g.sources, label)
		if g.chance(20) {
			on += " AND " + g.cond(0)
		}
		text += g.f(" %s JOIN %s", kind, name)
		if label != name {
			text += " AS " + label
		}
		if kind != "CROSS" {
			text += " ON " + on
		}
	}
	kinds := []string{"INNER", "INNER", "LEFT", "LEFT", "RIGHT", "FULL", "CROSS"}
	for range 1 + g.n(2) {
		kind := g.n(4)
		if g.late {
			kind = 0
		}
		switch kind {
		case 0, 1:
			if !slices.Contains(g.sources, "u") && !slices.Contains(g.sources, "v") {
				label := g.one("u", "u", "v")
				join("u", label, g.one(kinds...))
			}
		case 2:
			if !slices.Contains(g.sources, "h") {
				join("h", "h", g.one(kinds...))
			}
		default:
			if !slices.Contains(g.sources, "k") {
				join("k", "k", g.one("INNER", "LEFT"))
			}
		}
	}
	return text
}

// declared tells whether a statement reads a source with declared columns: the reference
// does not know what becomes of values of other types.
func (g *wild) declared(text string) bool {
	sel, err := sql.ParseSelect(text)
	if err != nil {
		return true
	}
	any := g.typed[sel.From.Name]
	for _, j := range sel.Joins {
		any = any || g.typed[j.Name]
	}
	return any
}

// place chooses where a rule is: mostly where others of the case are.
func (g *wild) place() *place {
	if len(g.places) > 0 && g.chance(75) {
		p := g.places[g.n(len(g.places))]
		if !p.tables || !g.late {
			return p
		}
	}
	g.pool, g.tame = nil, g.chance(65)
	p := &place{from: g.from(), sources: g.sources, tame: g.tame}
	p.tables = slices.Contains(p.sources, "h") || slices.Contains(p.sources, "k")
	for range 2 {
		p.pool = append(p.pool, g.one(g.expr(1), g.cond(1)), g.analytic(0))
		p.wins = append(p.wins, g.window())
		p.aggs = append(p.aggs, g.agg())
	}
	g.places = append(g.places, p)
	return p
}

// statement makes a rule.
func (g *wild) statement() string {
	p := g.place()
	g.sources, g.pool, g.tame = p.sources, p.pool, p.tame
	g.windows = g.chance(50) || slices.Contains(g.sources, "u") || slices.Contains(g.sources, "v")
	groups := g.windows && g.chance(60)
	q := "SELECT "
	if g.chance(8) {
		q += "DISTINCT "
	}
	q += g.items(p, groups) + " FROM " + p.from
	if g.chance(30) {
		q += " WHERE " + g.one(g.simpleCond(), g.cond(2), g.cond(1)+" AND "+g.simpleCond(), g.f("%s %s %s", g.analytic(0), g.cmp(), g.literal()))
	}
	if g.windows {
		q += " GROUP BY "
		if groups && g.tame && g.chance(50) {
			q += g.column() + ", "
		} else if groups && g.chance(50) {
			q += g.one(g.column(), g.column()+", "+g.column(), g.expr(1), g.cond(0)) + ", "
		}
		if g.chance(85) {
			q += g.one(p.wins...)
		} else {
			q += g.window()
		}
	}
	if g.chance(20) {
		q += " HAVING " + g.one(g.f("count(*) > %d", g.n(3)), g.f("%s %s %s", g.agg(), g.cmp(), g.literal()), g.cond(1), "last_agg_hit_count() < 3",
			g.f("lag(%s) %s %s", g.agg(), g.cmp(), g.literal()))
	}
	if g.chance(25) {
		q += " ORDER BY " + g.one(g.column(), g.column()+" DESC", g.expr(1), g.agg(), g.column()+", "+g.agg()+" DESC")
	}
	return q + g.limit()
}

// simpleCond makes a condition as rules mostly have them.
func (g *wild) simpleCond() string {
	return g.f("%s %s %s", g.column(), g.cmp(), g.literal())
}

// items makes a SELECT list.
func (g *wild) items(p *place, groups bool) string {
	var out []string
	if !groups && g.chance(20) {
		out = append(out, g.one("*", "*", g.one(g.sources...)+".*", "* EXCEPT (a, s)", "* REPLACE (1 AS a)"))
	}
	for i := range 1 + g.n(3) {
		var e string
		switch n := g.n(10); {
		case groups && n < 6:
			e = g.one(g.agg(), g.one(p.aggs...), g.f("%s %s %s", g.agg(), g.one("+", "*", "||"), g.expr(0)))
			if g.chance(20) {
				e = g.f("%s(%s)", g.one("lag", "lag", "acc_count", "latest"), g.one(p.aggs...))
			}
		case n == 6:
			e = g.one(p.pool[1], p.pool[3], g.analytic(1))
		case n == 7:
			e = g.one("row_number()", "window_start()", "window_end()", "row_number() OVER (PARTITION BY a ORDER BY b)", "last_hit_count()", "last_agg_hit_count()")
		default:
			e = g.expr(2)
		}
		out = append(out, fmt.Sprintf("%s AS x%d", e, i))
		if g.chance(10) {
			out = append(out, fmt.Sprintf("x%d + 1 AS y%d", i, i))
		}
	}
	if g.chance(10) {
		out = append(out, g.one("unnest("+g.column()+")", "extract("+g.column()+")", g.f("changed_cols(\"c_\", %s, %s)", g.one("true", "false"), g.expr(0)), "unnest(l)"))
	}
	return strings.Join(out, ", ")
}
