//go:build slim

package main

// suffix is what weir version says of the build behind the version.
const suffix = " slim"
