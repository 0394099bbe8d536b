package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is what identifies a build.
type version struct {
	Version  string `json:"version"`            // of the module
	Revision string `json:"revision,omitempty"` // of the source; "+" where it was changed
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:               "version",
		Usage:              "print the version",
		ArgsUsage:          "[flags]",
		CustomHelpTemplate: commandHelp,
		HideHelpCommand:    true,
		OnUsageError:       usageError,
		Flags:              []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print it as JSON", DisableDefaultText: true}},
		Action: func(c *cli.Context) error {
			if err := arguments(c, 0); err != nil {
				return err
			}
			v := thisVersion()
			if c.Bool("json") {
				e := json.NewEncoder(c.App.Writer)
				e.SetIndent("", "  ")
				return e.Encode(v)
			}
			_, err := fmt.Fprintln(c.App.Writer, v)
			return err
		},
	}
}

func thisVersion() version {
	v := version{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if v.Version = info.Main.Version; v.Version == "(devel)" || v.Version == "" {
		v.Version = "devel"
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			v.Revision = s.Value[:min(len(s.Value), 12)] + v.Revision
		case s.Key == "vcs.modified" && s.Value == "true":
			v.Revision += "+"
		}
	}
	return v
}

func (v version) String() string {
	text := "fletch " + v.Version
	if v.Revision != "" {
		text += " (" + v.Revision + ")"
	}
	return text + ", " + v.Go + ", " + v.Platform
}
