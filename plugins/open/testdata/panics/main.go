// Package main is a plugin whose initialization panics.
package main

var none []string

func init() { first(none) }

//go:noinline
func first(list []string) string { return list[0] }

// Job is never called.
func Job([]string) (any, error) { return nil, nil }

func main() {}
