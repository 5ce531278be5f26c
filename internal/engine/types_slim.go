//go:build slim

package engine

// leftOut names the types that this build goes without.
var leftOut = []string{"redis", "sql"}

// addFull adds nothing: see types_full.go.
func (*types) addFull(typeEnv) {}
