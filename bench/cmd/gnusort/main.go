// Command gnusort sorts the lines of a file by their bytes with GNU sort, and returns when the disk has the result: the
// peer of TeraSort. Temporary files go to TMPDIR.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"os"
	"os/exec"
	"runtime"
	"strconv"
)

func main() {
	input := flag.String("input", "", "text file to sort")
	output := flag.String("output", "", "file for the result")
	memory := flag.String("memory", "256M", "size of sort's buffer, as its option -S takes it")
	cores := flag.Int("cores", runtime.GOMAXPROCS(0), "cores to use")
	flag.Parse()
	if err := sort(*input, *output, *memory, *cores); err != nil {
		log.Fatal(err)
	}
}

func sort(input, output, memory string, cores int) error {
	cmd := exec.CommandContext(context.Background(), "sort",
		"--buffer-size", memory, "--parallel", strconv.Itoa(cores), "--temporary-directory", os.TempDir(), "--output", output, input)
	cmd.Env = append(os.Environ(), "LC_ALL=C") // bytes are compared, not the letters of a language
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	file, err := os.Open(output)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
