package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"fletch/plugins"
	"fletch/plugins/source"
)

// Build builds the package, a directory or an import path, as a plugin that this program can open, into the file out. The
// file appears when it is whole; the same source gives the same bytes. The first build compiles everything anew, which log
// is told. An error is a *source.Mistake if pkg is no job's package that can be built as a plugin.
func Build(ctx context.Context, pkg, out string, log io.Writer) error {
	this, err := plugins.ThisBuild()
	if err != nil {
		return err
	}
	b := &builder{this: this, out: out}
	if err := b.prepare(ctx, pkg); err != nil {
		return errors.Join(err, b.close())
	}
	slow := time.AfterFunc(2*time.Second, func() {
		fmt.Fprintf(log, "building %s (the first time takes about a minute) ...\n", pkg)
	})
	err = b.build(ctx)
	slow.Stop()
	return errors.Join(err, b.close())
}

// builder builds one plugin.
type builder struct {
	this   *plugins.Build
	out    string
	tool   *source.Tool
	job    *source.Package
	module *module
	temp   []string // directories to remove
}

func (b *builder) close() error {
	var errs []error
	for _, dir := range b.temp {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}

// prepare finds everything that the build needs, and what would keep the plugin from fitting.
func (b *builder) prepare(ctx context.Context, pkg string) (err error) {
	if info, err := os.Stat(b.out); err == nil && !info.Mode().IsRegular() {
		return mistakef("%s is no file: name the plugin's, such as job.so", b.out)
	}
	if b.tool, err = findTool(ctx, b.this); err != nil {
		return err
	}
	root, err := Root()
	if err != nil {
		return err
	}
	if b.job, err = source.Find(ctx, b.tool, pkg); err != nil {
		return err
	}
	if b.module, err = findModule(ctx, b.tool, b.job, root); err != nil {
		return err
	}
	if b.this.Root == "" && !b.module.Main {
		dir, err := b.module.workspace(b.tool, root, b.this.Go)
		b.temp = append(b.temp, dir)
		b.module.Dir = root
		return err
	}
	return b.module.settle(b.this, b.job, root)
}

// build compiles the package and puts the plugin where it belongs.
func (b *builder) build(ctx context.Context) error {
	sources, err := b.shared(ctx)
	if err != nil {
		return err
	}
	if err := b.checkSources(sources); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(b.out), ".fletch-build-")
	if err != nil {
		return fmt.Errorf("make a directory beside %s: %w", b.out, err)
	}
	b.temp = append(b.temp, temp)
	path, err := filepath.Abs(filepath.Join(temp, filepath.Base(b.out)))
	if err != nil {
		return err
	}
	// A plugin is not debugged but logged from: leaving out what debuggers read makes it a third smaller.
	args := slices.Concat([]string{"build", "-buildmode=plugin", "-ldflags=-s -w"}, flags(b.this), []string{"-o", path, "--", b.job.Pattern})
	if _, err := b.tool.Run(ctx, b.job.WorkDir, args...); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return b.module.vendored(b.job.Failed(err))
	}
	if err := b.checkSources(sources); err != nil { // they may have changed under the compiler's hands
		return err
	}
	if err := b.finish(path, sources); err != nil {
		return err
	}
	if err := b.check(path); err != nil {
		return err
	}
	return publish(path, b.out)
}

// shared returns the packages of Fletch that the job links, with the hashes of the sources that this program was built of.
func (b *builder) shared(ctx context.Context) (map[string]string, error) {
	args := slices.Concat([]string{"list", "-deps"}, flags(b.this), []string{"--", b.job.Pattern})
	out, err := b.tool.Run(ctx, b.job.WorkDir, args...)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, b.module.vendored(b.job.Failed(err))
	}
	sources := map[string]string{}
	for path := range strings.Lines(string(out)) {
		path = strings.TrimSpace(path)
		if hash, ok := plugins.Shared()[path]; ok {
			sources[path] = hash
		}
	}
	return sources, nil
}

// checkSources sees that the sources to compile are those that this program was built of.
func (b *builder) checkSources(sources map[string]string) error {
	root := os.DirFS(b.module.Dir)
	var changed []string
	for path, hash := range sources {
		have, err := plugins.Hash(root, path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("read the sources of %s in %s: %w", path, b.module.Dir, err)
		}
		if have != hash {
			changed = append(changed, path)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	slices.Sort(changed)
	return fmt.Errorf("the sources in %s have changed since this fletch was built: %s; build it again, cd %s && go build ./cmd/fletch, or set %s to the sources that it was built of",
		b.module.Dir, strings.Join(changed, ", "), b.module.Dir, rootEnv)
}

// finish appends the manifest.
func (b *builder) finish(path string, sources map[string]string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("finish the plugin: %w", err)
	}
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err == nil {
		m := plugins.Manifest{
			Fletch: fletchVersion(), Package: b.job.Path, Root: b.this.Root, ModuleCache: b.this.ModuleCache,
			Sources: sources, Size: size, SHA256: hex.EncodeToString(h.Sum(nil)),
		}
		var text []byte
		if text, err = m.Append(nil); err == nil {
			_, err = f.Write(text)
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("finish the plugin: %w", err)
	}
	return nil
}

// fletchVersion is the version of this program's module.
func fletchVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// check sees that this program can open the plugin.
func (b *builder) check(path string) error {
	_, err := plugins.Preflight(path, "")
	if mismatch, ok := errors.AsType[*plugins.Mismatch](err); ok {
		return mistakef("a plugin of %s does not fit this fletch (where a module differs, go.mod has to ask for the version that this fletch has)\n\t%s",
			b.job.Name, strings.Join(mismatch.Differences, "\n\t"))
	}
	return err
}

// publish moves the plugin into place.
func publish(path, out string) error {
	if err := os.Rename(path, out); err != nil {
		return fmt.Errorf("put the plugin into place: %w", err)
	}
	dir, err := os.Open(filepath.Dir(out))
	if err != nil {
		return fmt.Errorf("put the plugin into place: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
