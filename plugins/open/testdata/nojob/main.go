// Package main is a plugin without a function Job.
package main

func main() {}
