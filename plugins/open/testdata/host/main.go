// Package main opens the plugin that its first argument names, calls its function Job with the others, and says how that
// went.
package main

import (
	"errors"
	"fmt"
	"os"

	"fletch/engine/exec"
	"fletch/fault"
	"fletch/plugins/open"
)

func main() {
	declare, err := open.Open(os.Args[1])
	if err != nil {
		fmt.Printf("%v: %v\n", fault.ClassOf(err), err)
	} else if job, err := declare(os.Args[2:]); err != nil {
		fmt.Println(err)
	} else {
		fmt.Println(job.Name(), job.Err())
	}
	if op, ok := errors.AsType[*exec.OperatorError](err); ok {
		fmt.Print(op.Frames())
	}
}
