// Package source finds the source of a job, a main package with a function Job, by asking the go tool.
package source
