// Package main is no job: it has no function Job.
package main

import (
	"fmt"

	"fletch/engine"
)

// Work would be found by nobody.
var Work = engine.NewJob("nojob")

func main() { fmt.Println(Work.Name()) }
