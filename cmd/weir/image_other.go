//go:build !linux

package main

// releaseImage does nothing: what the operating system keeps of the program's
// file is its own matter.
func releaseImage() {}
