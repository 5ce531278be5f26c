// Package ruledef reads what a user submits as a rule, and words why it is
// refused: the JSON of a rule, its options, and the faults with the codes and
// texts that clients of the REST API know.
//
// It neither looks at the SQL of a rule nor at the properties of its sinks, and
// knows no planner, so that what only passes rules on does not link the SQL
// parser.
package ruledef
