// Package main is a plugin to be built with other flags than its host.
package main

import "fletch/fault"

// Job is never called.
func Job([]string) (any, error) { return nil, fault.As(fault.User, nil) }

func main() {}
