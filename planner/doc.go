// Package planner turns the text of rules into immutable programs that package
// exec runs over batches. It binds a SELECT
// against the streams that it names (Bind), and keeps the program of each input
// while rules come and go (Builder), in which equal expressions of all rules are
// one step, equal filters one filter and equal outputs one output.
//
// It refuses what cannot be executed at submission, with the position in the
// user's text; nothing is ignored. It evaluates no row, opens nothing and starts
// nothing: functions, the catalog and the folding of constants are given to it.
// A program that was published does not change any more.
package planner
