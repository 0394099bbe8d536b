// Package scaffold makes the beginning of a job: a module of its own with a job, its test, data to try it on and a README.
// What it makes can be tested, run, built and submitted at once and without a network, as its go.mod and go.sum name what
// Fletch itself was built with.
package scaffold

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"fletch/plugins/build"
	"fletch/plugins/source"
)

// files are the module's; of those that end in .tmpl the rest of the name.
//
//go:embed job
var files embed.FS

// values are what the templates take.
type values struct {
	Module, Name     string // the module's path, and its last element
	Root, QuotedRoot string // the directory of Fletch's sources
	Go               string // the language version
	Requires         []string
}

// Job makes the module in a directory that is empty or does not exist. Its path is name, or else the directory's. It
// returns the name of the job.
func Job(ctx context.Context, dir, name string) (job string, err error) {
	if name == "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", err
		}
		name = filepath.Base(abs)
	}
	if err := checkEmpty(dir); err != nil {
		return "", err
	}
	tool, err := build.Tool(ctx)
	if err != nil {
		return "", err
	}
	if err := checkName(ctx, tool, name); err != nil {
		return "", err
	}
	v, err := valuesOf(ctx, tool, name)
	if err != nil {
		return "", err
	}
	return v.Name, v.write(dir)
}

func mistakef(format string, args ...any) error {
	return &source.Mistake{Err: fmt.Errorf(format, args...)}
}

func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if info, statErr := os.Stat(dir); statErr == nil && !info.IsDir() {
		return mistakef("%s is a file: name a new directory", dir)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && len(entries) > 0 {
		err = mistakef("%s exists and is not empty: name a new directory", dir)
	}
	return err
}

// checkName sees that a module may be called so.
func checkName(ctx context.Context, tool *source.Tool, name string) error {
	const mend = "choose another with --module, such as example.com/jobs"
	if err := module.CheckImportPath(name); err != nil {
		return mistakef("%q can't be a module's name (%w); %s", name, err, mend)
	}
	if first, _, _ := strings.Cut(name, "/"); first == "fletch" {
		return mistakef("%q can't be a module's name, as that is Fletch's own; %s", name, mend)
	}
	_, err := tool.Run(ctx, "/", "list", "-find", "--", name)
	if ctx.Err() != nil {
		return err
	}
	if err == nil {
		return mistakef("%q can't be a module's name, as Go has a package of that name; %s", name, mend)
	}
	return nil
}

// linked are the packages that a job may import; their modules stand in its go.mod.
var linked = []string{"./engine/...", "./format/...", "./local"}

func valuesOf(ctx context.Context, tool *source.Tool, name string) (*values, error) {
	root, err := build.Root()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, fmt.Errorf("read fletch's go.mod: %w", err)
	}
	mod, err := modfile.ParseLax("go.mod", text, nil)
	if err != nil {
		return nil, fmt.Errorf("read fletch's go.mod: %w", err)
	}
	list := append([]string{"list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "--"}, linked...)
	out, err := tool.Run(ctx, root, list...)
	if err != nil {
		return nil, fmt.Errorf("find the modules that a job needs: %w", err)
	}
	requires := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
	slices.Sort(requires)
	return &values{
		Module: name, Name: path.Base(name), Root: root, QuotedRoot: modfile.AutoQuote(root), Go: mod.Go.Version,
		Requires: slices.Compact(requires),
	}, nil
}

// write makes the files. It leaves nothing behind if that fails.
func (v *values) write(dir string) (err error) {
	var made []string
	defer func() {
		if err != nil {
			for _, path := range slices.Backward(made) {
				err = errors.Join(err, os.Remove(path))
			}
		}
	}()
	mkdir := func(path string) error {
		err := os.Mkdir(path, 0o777)
		if err == nil {
			made = append(made, path)
		}
		if errors.Is(err, os.ErrExist) {
			return nil
		}
		return err
	}
	create := func(path string, text []byte) error {
		made = append(made, path)
		return os.WriteFile(path, text, 0o666)
	}
	sums, err := os.ReadFile(filepath.Join(v.Root, "go.sum"))
	if err != nil {
		return fmt.Errorf("read fletch's go.sum: %w", err)
	}
	err = fs.WalkDir(files, "job", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(dir, strings.TrimPrefix(name, "job"))
		if d.IsDir() {
			return mkdir(target)
		}
		text, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		target, isTemplate := strings.CutSuffix(target, ".tmpl")
		if isTemplate {
			if text, err = v.execute(name, text); err != nil {
				return err
			}
		}
		return create(target, text)
	})
	if err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	return create(filepath.Join(dir, "go.sum"), sums)
}

func (v *values) execute(name string, text []byte) ([]byte, error) {
	t, err := template.New(name).Option("missingkey=error").Parse(string(text))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, v)
	return out.Bytes(), err
}
