package build

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fletch/plugins"
	"fletch/plugins/source"
)

// module is where a job gets Fletch's packages from: a main module, or one that the job's go.mod replaces.
type module struct {
	Dir  string
	Main bool

	goMod, goWork string // the files that say so; goWork is empty outside a workspace
}

// findModule finds Fletch's module as the job sees it.
func findModule(ctx context.Context, tool *source.Tool, p *source.Package, root string) (*module, error) {
	var files struct{ GOMOD, GOWORK string }
	out, err := tool.Run(ctx, p.WorkDir, "env", "-json", "GOMOD", "GOWORK")
	if err == nil {
		err = json.Unmarshal(out, &files)
	}
	if err != nil {
		return nil, fmt.Errorf("find the module of %s: %w", p.Name, err)
	}
	m := &module{goMod: files.GOMOD, goWork: files.GOWORK}
	if out, err = tool.Run(ctx, p.WorkDir, "list", "-m", "-json=Dir,Main", "fletch"); ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		return nil, &source.Mistake{Err: fmt.Errorf("%s does not say where fletch is: in its directory, run go mod edit -require=fletch@v0.0.0 -replace=fletch=%s\n\n%w",
			m.goMod, root, err)}
	}
	if err := json.Unmarshal(out, m); err != nil {
		return nil, fmt.Errorf("find the module of %s: %w", p.Name, err)
	}
	return m, nil
}

// settle makes the job be compiled with Fletch's packages where this program was compiled: the compiler records their
// place, and Go takes packages of two places for different ones.
func (m *module) settle(this *plugins.Build, p *source.Package, root string) error {
	switch {
	case this.Root == "" || m.Dir == root:
		return nil
	case m.Main && m.goWork == "" && same(m.Dir, root): // through a link
		within, err := filepath.Rel(m.Dir, p.Dir)
		p.WorkDir, p.Pattern = filepath.Join(root, within), "."
		return err
	case m.Main && m.goWork == "":
		return mistakef("%s is a job of the fletch in %s, but this one was built in %s: build that one, cd %s && go build ./cmd/fletch, and use it",
			p.Name, m.Dir, root, m.Dir)
	case m.Main:
		return mistakef("%s takes fletch from %s, but this fletch was built in %s, and the directory has to be the same: let it say use %s",
			m.goWork, m.Dir, root, root)
	default:
		return mistakef("%s takes fletch from %s, but this fletch was built in %s, and the directory has to be the same: in its directory, run go mod edit -replace=fletch=%s",
			m.goMod, m.Dir, root, root)
	}
}

func mistakef(format string, args ...any) error {
	return &source.Mistake{Err: fmt.Errorf(format, args...)}
}

// workspace makes the go tool take Fletch from root by a workspace of its own, whose directory it returns. With -trimpath
// the compiler records names of modules for places, and a replaced module has another name than one of a workspace.
func (m *module) workspace(tool *source.Tool, root, goVersion string) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "fletch-build-"); err != nil {
		return "", fmt.Errorf("make a workspace: %w", err)
	}
	text := fmt.Sprintf("go %s\n\nuse (\n\t%q\n\t%q\n)\n", strings.TrimPrefix(goVersion, "go"), filepath.Dir(m.goMod), root)
	path := filepath.Join(dir, "go.work")
	tool.Env = append(tool.Env, "GOWORK="+path)
	return dir, os.WriteFile(path, []byte(text), 0o644)
}

// vendored continues an error of the go tool where the job has a directory vendor.
func (m *module) vendored(err error) error {
	for _, file := range []string{m.goMod, m.goWork} {
		vendor := filepath.Join(filepath.Dir(file), "vendor")
		if _, missing := os.Stat(vendor); missing == nil && err != nil {
			return fmt.Errorf("%w\n\n%s is not used: the modules of a plugin have to come from the module cache, as fletch's did (go mod download gets them)", err, vendor)
		}
	}
	return err
}
