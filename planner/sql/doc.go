// Package sql is the SQL front: it turns the text of a statement into the tree
// that the planner binds. It knows the syntax of the dialect and nothing about
// streams, functions or types: rules about names are the binder's.
//
// A lexer and parser of its own read the user's text, find as many faults as
// can be found, and bound depth and length. From a text without faults they make
// a canonical statement for TiDB's parser: every identifier quoted, every
// expression in parentheses, the dialect's own operators as calls of names no
// user can write, literals as placeholders. The tree handed out is built from
// TiDB's tree; literals and positions are filled in by their index. What TiDB made
// is remembered by canonical text, so rules that differ in literals only meet
// its parser once.
//
// A slim build goes without TiDB's parser, a quarter of the binary, and hands out
// the tree that its own parser made; the tests hold that both trees are equal.
package sql
