package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Package is the package of a job.
type Package struct {
	Name    string // as the user wrote it
	WorkDir string // where the go tool runs, so that the package's own go.mod counts; empty for the current directory
	Pattern string // the package, as the go tool takes it there
	Path    string // the import path
	Dir     string // absolute
}

// Mistake is the error of a name that is no job's: nothing was built.
type Mistake struct{ Err error }

func (m *Mistake) Error() string { return m.Err.Error() }

func (m *Mistake) Unwrap() error { return m.Err }

func mistakef(format string, args ...any) error { return &Mistake{fmt.Errorf(format, args...)} }

// Find finds a package, by its directory or by its import path, and sees that it is a job's.
func Find(ctx context.Context, tool *Tool, name string) (*Package, error) {
	p := &Package{Name: name, WorkDir: name, Pattern: "."}
	switch info, err := os.Stat(name); {
	case err == nil && !info.IsDir():
		return nil, mistakef("%s is a file: name the package's directory, %s", name, here(filepath.Dir(name)))
	case err == nil:
	case strings.HasPrefix(name, ".") || filepath.IsAbs(name):
		return nil, mistakef("there is no directory %s", name)
	default:
		p.WorkDir, p.Pattern = "", name
	}
	files, err := p.list(ctx, tool)
	if err != nil {
		return nil, err
	}
	return p, p.declaresJob(files)
}

// here makes a directory's name one that does not look like an import path.
func here(dir string) string {
	if filepath.IsAbs(dir) || strings.HasPrefix(dir, ".") {
		return dir
	}
	return "./" + dir
}

// list asks the go tool about the package and returns the names of its files.
func (p *Package) list(ctx context.Context, tool *Tool) (files []string, err error) {
	out, err := tool.Run(ctx, p.WorkDir, "list", "-find", "-json=Dir,ImportPath,Name,GoFiles,CgoFiles", "--", p.Pattern)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, err
	case p.WorkDir == "" && !strings.Contains(p.Name, "/"):
		return nil, mistakef("there is no directory %s", p.Name)
	case p.WorkDir == "":
		return nil, mistakef("%s is neither a directory nor a package that can be imported here: %w", p.Name, err)
	default:
		return nil, mistakef("%s is no package that can be built: %w", p.Name, err)
	}
	var found struct {
		Dir, ImportPath, Name string
		GoFiles, CgoFiles     []string
	}
	d := json.NewDecoder(bytes.NewReader(out))
	if err := d.Decode(&found); errors.Is(err, io.EOF) {
		return nil, mistakef("%s matches no package", p.Name)
	} else if err != nil {
		return nil, fmt.Errorf("read what go list says of %s: %w", p.Name, err)
	}
	if d.More() {
		return nil, mistakef("%s matches several packages: name one", p.Name)
	}
	if found.Name != "main" {
		return nil, mistakef("%s is package %s: a job is package main", p.Name, found.Name)
	}
	p.Dir, p.Path = found.Dir, found.ImportPath
	return append(found.GoFiles, found.CgoFiles...), nil
}

// declaresJob sees that one of the files has a function Job. A file that does not parse counts as one that has: the
// compiler says more about it.
func (p *Package) declaresJob(files []string) error {
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if file == nil {
			return err
		}
		if err != nil {
			return nil //nolint:nilerr // the compiler says it better
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "Job" {
				return nil
			}
		}
	}
	return mistakef("%s has no function Job: a job's package declares\n\n\tfunc Job(args []string) (*engine.Job, error)\n\n"+
		"and calls local.Main(Job) in main", p.Name)
}

var besideGo = regexp.MustCompile(`(?m)^(vet: )?\./`)

// Failed is the error of a build, with the compiler's messages. It makes the files in them, which are relative to the
// package, relative to here.
func (p *Package) Failed(err error) error {
	messages := err.Error()
	if p.WorkDir != "" {
		messages = besideGo.ReplaceAllString(messages, "${1}"+filepath.Clean(p.Name)+"/")
	}
	return fmt.Errorf("%s does not compile\n\n%s", p.Name, messages)
}
