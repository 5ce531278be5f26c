package ruledef

import (
	"errors"
	"fmt"
)

// Code classifies an Error for programs that talk to the REST API.
type Code int

// The codes of the API. A code says which part refused, not how bad it is.
const (
	CodeUndefined Code = 1000
	CodeGeneral   Code = 1001
	CodeNotFound  Code = 1002
	CodeIO        Code = 1003
	CodeConverter Code = 1004
	CodeEOF       Code = 1005
	CodeParser    Code = 2001
	CodePlan      Code = 2101
	CodeExecutor  Code = 2201
	CodeStream    Code = 3000
	CodeRule      Code = 4000
	CodeConfig    Code = 5000
)

// The conditions that callers act on. They may be wrapped; test with errors.Is.
var (
	// ErrNotFound says that the stream, table, rule or group that was named does
	// not exist. The API answers each call with the text and the status that its
	// users know, whatever the wrapping error says.
	ErrNotFound = errors.New("not found")

	// ErrExists says that the name is taken. The caller replaces the object or
	// chooses another name.
	ErrExists = errors.New("already exists")

	// ErrInUse says that rules refer to the object. The caller drops the rules
	// first, or drops it by force.
	ErrInUse = errors.New("in use")
)

// Error is a fault with its class. Text is complete: it is shown as it is.
type Error struct {
	Code Code
	Text string
	Err  error // the cause, or nil; not part of Text
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error of the class c. Like fmt.Errorf it keeps the error
// that a %w names.
func Errorf(c Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: c, Text: err.Error(), Err: errors.Unwrap(err)}
}
