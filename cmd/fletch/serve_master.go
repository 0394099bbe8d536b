package main

import (
	"errors"

	"github.com/urfave/cli/v2"
)

// run is a master until a signal asks for its end.
func (s *masterSettings) run(*cli.Context) error { return errors.New("masters are not there yet") }
