// Package lint holds the rules of the house as tests: which package may import
// which, where each third-party module has its home, and what must not be written
// anywhere, what is counted or exported and used by nobody. All of it is a test;
// the package exports nothing.
//
// Run it with -count=1: the test cache does not see what go list reads. A line
// that has a good reason is marked with a comment, "lint:allow" and the name of
// the rule, and gives the reason.
package lint
