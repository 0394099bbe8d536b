// Package config is where settings come from: a flag counts before its variable FLETCH_*, that before the configuration
// file, and that before the default. A wrong value is told with the place it came from. The file is TOML or YAML, by its
// suffix, and has a section for each group of settings:
//
//	[client]
//	master = ["10.0.0.1:7400", "10.0.0.2:7400"]
//
//	[worker]
//	memory = "8GiB"
//
// The whole file is checked for keys that nobody knows, whichever command reads it.
package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// Setting is one setting: the flag --name, the variable FLETCH_NAME, and the key name in its section of the file.
type Setting struct {
	Name     string
	Usage    string // with the name of the value in backquotes, and the default
	Value    Value
	FlagOnly bool // it has no variable and no key: it makes sense for one call alone
}

// Section is a group of settings. One without a name is not in the file.
type Section struct {
	Name     string
	Settings []Setting
}

// variable returns the name of a setting's variable.
func (s *Setting) variable() string {
	return "FLETCH_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// Flags returns the flags of the settings. Read reads them.
func (s Section) Flags() []cli.Flag {
	var flags []cli.Flag
	for i := range s.Settings {
		set := &s.Settings[i]
		usage := set.Usage
		if !set.FlagOnly {
			usage += " [$" + set.variable() + "]"
		}
		if _, ok := set.Value.(switchValue); ok {
			flags = append(flags, &cli.BoolFlag{Name: set.Name, Usage: usage, DisableDefaultText: true})
		} else {
			flags = append(flags, &cli.StringFlag{Name: set.Name, Usage: usage})
		}
	}
	return flags
}

// Error is a setting that can't be used, or a file that can't be read.
type Error struct{ err error }

func (e *Error) Error() string { return e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

// FileFlag names the file; its variable is FLETCH_CONFIG. Without either it is the default one, if it exists.
const FileFlag = "config"

// Read sets the settings of the sections. Known are all sections that the file may have.
func Read(c *cli.Context, known []Section, sections ...Section) error {
	path, must := c.String(FileFlag), true
	if path == "" {
		path = os.Getenv("FLETCH_CONFIG")
	}
	if path == "" {
		path, must = defaultFile(), false
	}
	f, err := readFile(path, must)
	if err == nil {
		err = f.check(known)
	}
	if err != nil {
		return &Error{err}
	}
	var errs []error
	for _, s := range sections {
		for i := range s.Settings {
			errs = append(errs, s.Settings[i].read(c, f[s.Name]))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return &Error{err}
	}
	return nil
}

// read takes a setting from where it stands first.
func (s *Setting) read(c *cli.Context, keys map[string]entry) error {
	var text, source string
	switch e, inFile := keys[s.Name]; {
	case c.IsSet(s.Name):
		text, source = c.String(s.Name), "--"+s.Name+" "
		if _, ok := s.Value.(switchValue); ok {
			text = strconv.FormatBool(c.Bool(s.Name))
		}
	case s.FlagOnly:
		return nil
	case os.Getenv(s.variable()) != "":
		text, source = os.Getenv(s.variable()), s.variable()+"="
	case inFile:
		text, source = e.text, e.where+" = "
	default:
		return nil
	}
	if err := s.Value.Set(text); err != nil {
		return fmt.Errorf("%s%s: %w", source, text, err)
	}
	return nil
}

// defaultFile returns where the file is if nobody says it; empty if this user has no such place.
func defaultFile() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "fletch", "config.toml")
}

// check refuses what no section knows.
func (f file) check(known []Section) error {
	var errs []error
	for _, name := range f.sections() {
		i := slices.IndexFunc(known, func(s Section) bool { return s.Name == name && name != "" })
		for key, e := range f.keys(name) {
			switch {
			case name == "":
				errs = append(errs, fmt.Errorf("%s: it stands in no section; there are %s", e.where, names(known)))
			case i < 0:
				errs = append(errs, fmt.Errorf("%s: there is no section %s; there are %s", e.where, name, names(known)))
			case !slices.ContainsFunc(known[i].Settings, func(s Setting) bool { return s.Name == key && !s.FlagOnly }):
				errs = append(errs, fmt.Errorf("%s: there is no such setting; there are %s", e.where, settings(known[i])))
			}
		}
	}
	return errors.Join(errs...)
}

func names(known []Section) string {
	var list []string
	for _, s := range known {
		list = append(list, s.Name)
	}
	return strings.Join(list, ", ")
}

func settings(s Section) string {
	var list []string
	for i := range s.Settings {
		if !s.Settings[i].FlagOnly {
			list = append(list, s.Settings[i].Name)
		}
	}
	return strings.Join(list, ", ")
}

// Without returns the section without the settings that others have as well.
func (s Section) Without(others []Section) Section {
	s.Settings = slices.DeleteFunc(s.Settings, func(set Setting) bool {
		return slices.ContainsFunc(others, func(other Section) bool {
			return slices.ContainsFunc(other.Settings, func(o Setting) bool { return o.Name == set.Name })
		})
	})
	return s
}
