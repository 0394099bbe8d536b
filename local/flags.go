package local

import (
	"flag"
	"fmt"
)

// Parse parses the arguments of a job that takes flags and nothing else. Package flag ends at the first argument that is no
// flag; a job which leaves it at that takes the defaults of all that follow.
func Parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not understood: --help lists the flags of %s", flags.Arg(0), flags.Name())
	}
	return nil
}
