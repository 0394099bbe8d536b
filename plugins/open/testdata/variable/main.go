// Package main is a plugin whose Job is something else.
package main

// Job is no function.
var Job = map[string]int{}

func main() {}
