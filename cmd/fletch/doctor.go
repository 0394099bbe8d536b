package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"fletch/cmd/fletch/doctor"
	"fletch/local"
)

func doctorCommand() *cli.Command {
	var to clientSettings
	var out output
	return command(&cli.Command{Name: "doctor", Usage: "check what Fletch needs on this machine",
		Description: "Each check is ok, a warning, or a failure with what to do. The exit code is 1 if one fails.",
	},
		func(c *cli.Context) error {
			ctx, stop := interruptible(c)
			defer stop()
			found := doctor.Run(ctx, doctor.Checks(to.diagnose))
			if err := context.Cause(ctx); err != nil {
				return err
			}
			if out.json {
				if err := printJSON(c.App.Writer, found); err != nil {
					return err
				}
			} else {
				var rows [][]string
				for _, f := range found {
					rows = append(rows, []string{string(f.Level), f.Check, f.Text})
				}
				if err := printTable(c.App.Writer, "LEVEL CHECK FOUND", rows); err != nil {
					return err
				}
			}
			for _, f := range found {
				if f.Level == doctor.Fail {
					return exitCode(local.ExitFailed)
				}
			}
			return nil
		}, to.section(), out.section())
}

// diagnoseWait is how long the cluster may take to answer, unless --timeout says otherwise.
const diagnoseWait = 3 * time.Second

// diagnose tells how the cluster is. That there is none is fine: jobs run without one.
func (s *clientSettings) diagnose(ctx context.Context) (text string, err error) {
	if s.timeout == 0 {
		s.timeout = diagnoseWait
	}
	cl, err := s.connect()
	if errors.Is(err, errNoCluster) {
		return "none is named and none runs here; fletch cluster up starts one", nil
	}
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	st, err := cl.Status(ctx)
	if err != nil {
		return "", fmt.Errorf("%w: is it up? fletch cluster status tells more", err)
	}
	return fmt.Sprintf("led by %s, %d masters, %d workers", st.Leader, len(st.Masters), len(st.Workers)), nil
}
