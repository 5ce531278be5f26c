package sql

import (
	"strings"

	"github.com/weir-engine/weir/vec"
)

// typeNames are the types of single values by the names that people give them, in
// upper case; eKuiper knows those of vec.Kind alone.
var typeNames = func() map[string]vec.Kind {
	out := map[string]vec.Kind{}
	for kind, names := range map[vec.Kind]string{
		vec.Int64: "BIGINT INT INTEGER TINYINT SMALLINT MEDIUMINT LONG SHORT BYTE INT2 INT4 INT8 INT16 INT32 INT64" +
			" UINT UINT8 UINT16 UINT32 UINT64 SERIAL BIGSERIAL",
		vec.Float64:   "FLOAT DOUBLE REAL DECIMAL NUMERIC NUMBER FLOAT4 FLOAT8 FLOAT32 FLOAT64",
		vec.String:    "STRING TEXT VARCHAR CHAR CHARACTER NVARCHAR NCHAR VARCHAR2 STR UUID",
		vec.Bool:      "BOOLEAN BOOL",
		vec.Timestamp: "DATETIME TIMESTAMP TIMESTAMPTZ DATE",
		vec.Bytes:     "BYTEA BYTES BLOB BINARY VARBINARY",
	} {
		for _, n := range strings.Fields(names) {
			out[n] = kind
		}
	}
	return out
}()

// simpleType reads the name of a type of single values, and what other dialects have
// behind it: DOUBLE PRECISION, VARCHAR(20), DECIMAL(10, 2). Where none is, want was
// expected.
func (p *parser) simpleType(want string) (vec.Kind, bool) {
	name := p.word()
	kind, ok := typeNames[name]
	if !ok {
		p.expected(want)
		return 0, false
	}
	p.next()
	if name == "DOUBLE" {
		p.acceptWord("PRECISION")
	}
	if p.kind() != tLParen || p.ahead(1).kind != tNumber {
		return kind, true
	}
	p.next()
	p.next()
	if p.accept(tComma) && p.kind() == tNumber {
		p.next()
	}
	return kind, p.want(tRParen, `")"`)
}
