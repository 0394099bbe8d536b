// Command bench measures Fletch against its limit and its peers and prints one table. It runs in the directory of the
// benchmarks' module. A target that is not met is shown; a result that is wrong is an error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"time"

	"fletch/bench/report"
	"fletch/bench/suite"
	"fletch/local"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	log.SetFlags(0)
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		stop()
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	size := flags.String("size", "1GB", "size of the word count's text; the inputs of the others grow and shrink with it")
	memory := flags.String("memory", "256MiB", "what contestants may use in the benchmarks that are about memory")
	words := flags.Int("words", 1e6, "distinct words of the inputs")
	rounds := flags.Int("rounds", 3, "rounds of each contest after one to warm up")
	timeout := flags.Duration("timeout", 10*time.Minute, "how long one run of one contestant may take")
	names := flags.String("run", strings.Join(suite.Default, ","), "benchmarks to run:\n"+suite.List())
	asJSON := flags.Bool("json", false, "print JSON in place of the table")
	if err := flags.Parse(args); err != nil {
		return err
	}
	bytes, err := local.ParseSize(*size)
	if err != nil {
		return err
	}
	memoryBytes, err := local.ParseSize(*memory)
	if err != nil {
		return err
	}
	if bytes < 1 || *rounds < 1 || *words < 1 || flags.NArg() > 0 {
		return fmt.Errorf("size, rounds and words must be positive, and there are no arguments but flags")
	}
	rows, err := suite.Run(ctx, suite.Config{
		Module:      ".",
		Repository:  "..",
		Work:        ".",
		Bytes:       bytes,
		Words:       *words,
		MemoryBytes: memoryBytes,
		Rounds:      *rounds,
		Timeout:     *timeout,
		Progress:    stderr,
	}, strings.Split(*names, ","))
	if len(rows) == 0 {
		return err
	}
	if *asJSON {
		return errors.Join(report.WriteJSON(stdout, rows), err)
	}
	return errors.Join(report.WriteText(stdout, rows, suite.Peers...), err)
}
