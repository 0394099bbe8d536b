package launch

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
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// source is the package of a job.
type source struct {
	name    string // as the user wrote it
	workDir string // where the go tool runs, so that the package's own go.mod counts; empty for the current directory
	pattern string // the package, as the go tool takes it there
	dir     string // of the package, absolute
}

// find finds the package and sees that it is a job's.
func find(ctx context.Context, goTool, name string) (*source, error) {
	s := &source{name: name, workDir: name, pattern: "."}
	switch info, err := os.Stat(name); {
	case err == nil && !info.IsDir():
		return nil, usagef("%s is a file: name the package's directory, as in fletch run %s", name, here(filepath.Dir(name)))
	case err == nil:
	case strings.HasPrefix(name, ".") || filepath.IsAbs(name):
		return nil, usagef("there is no directory %s", name)
	default:
		s.workDir, s.pattern = "", name
	}
	files, err := s.list(ctx, goTool)
	if err != nil {
		return nil, err
	}
	declared, err := declaresJob(s.dir, files)
	if err == nil && !declared {
		err = usagef("%s has no function Job: a job's package declares\n\n\tfunc Job(args []string) (*engine.Job, error)\n\n"+
			"and calls local.Main(Job) in main", name)
	}
	return s, err
}

// here makes a directory's name one that does not look like an import path.
func here(dir string) string {
	if filepath.IsAbs(dir) || strings.HasPrefix(dir, ".") {
		return dir
	}
	return "./" + dir
}

// list asks the go tool about the package and returns the names of its files.
func (s *source) list(ctx context.Context, goTool string) (files []string, err error) {
	out, err := s.run(ctx, goTool, "list", "-find", "-json=Dir,Name,GoFiles,CgoFiles", s.pattern)
	if err != nil && s.workDir == "" && !strings.Contains(s.name, "/") {
		return nil, usagef("there is no directory %s", s.name)
	}
	if err != nil && s.workDir == "" {
		return nil, usagef("%s is neither a directory nor a package that can be imported here: %w", s.name, err)
	}
	if err != nil {
		return nil, usagef("%s is no package that can be built: %w", s.name, err)
	}
	var found struct {
		Dir, Name         string
		GoFiles, CgoFiles []string
	}
	d := json.NewDecoder(bytes.NewReader(out))
	if err := d.Decode(&found); errors.Is(err, io.EOF) {
		return nil, usagef("%s matches no package", s.name)
	} else if err != nil {
		return nil, fmt.Errorf("read what go list says of %s: %w", s.name, err)
	}
	if d.More() {
		return nil, usagef("%s matches several packages: name one", s.name)
	}
	if found.Name != "main" {
		return nil, usagef("%s is package %s: a job is package main", s.name, found.Name)
	}
	s.dir = found.Dir
	return append(found.GoFiles, found.CgoFiles...), nil
}

// declaresJob reports whether one of the files has a function Job. A file that does not parse counts as one that has: the
// compiler says more about it.
func declaresJob(dir string, files []string) (declared bool, err error) {
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if file == nil {
			return false, err
		}
		declared = declared || err != nil || slices.ContainsFunc(file.Decls, isJob)
	}
	return declared, nil
}

func isJob(d ast.Decl) bool {
	f, ok := d.(*ast.FuncDecl)
	return ok && f.Recv == nil && f.Name.Name == "Job"
}

// stopWait is how long the go tool may take to clean up once it is interrupted.
const stopWait = 5 * time.Second

// run runs the go tool. Its error is what the tool says.
func (s *source) run(ctx context.Context, goTool string, args ...string) ([]byte, error) {
	var out, messages bytes.Buffer
	cmd := exec.CommandContext(ctx, goTool, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.workDir, &out, &messages
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopWait
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	err := cmd.Run()
	if text := strings.TrimSpace(messages.String()); err != nil && text != "" {
		return nil, errors.New(text)
	}
	return out.Bytes(), err
}

// usagef makes a UsageError.
func usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }
