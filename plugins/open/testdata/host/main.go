// Package main opens the plugin that its argument names, and says how that went.
package main

import (
	"fmt"
	"os"

	"fletch/engine/exec"
	"fletch/fault"
	"fletch/plugins/open"

	"errors"
)

func main() {
	job, err := open.Open(os.Args[1])
	fmt.Printf("%t, %v: %v\n", job != nil, fault.ClassOf(err), err)
	if op, ok := errors.AsType[*exec.OperatorError](err); ok {
		fmt.Print(op.Frames())
	}
}
