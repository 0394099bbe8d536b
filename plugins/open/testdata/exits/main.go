// Package main is a plugin whose initialization ends its goroutine.
package main

import "runtime"

func init() { runtime.Goexit() }

// Job is never called.
func Job([]string) (any, error) { return nil, nil }

func main() {}
