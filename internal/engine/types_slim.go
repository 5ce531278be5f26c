//go:build slim

package engine

// addFull adds nothing: see types_full.go.
func (*types) addFull(typeEnv) {}
