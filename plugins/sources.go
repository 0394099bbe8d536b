package plugins

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"

	"fletch"
)

// module is the path of Fletch's own module.
const module = "fletch"

// Shared returns the packages of Fletch that a job can link, with the hash of their sources, as this program was built of
// them. It must not be changed.
func Shared() map[string]string { return shared() }

var shared = sync.OnceValue(func() map[string]string {
	hashes := map[string]string{}
	err := fs.WalkDir(fletch.Sources, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		hash, files, err := hashPackage(fletch.Sources, name)
		if files > 0 {
			hashes[path.Join(module, name)] = hash
		}
		return err
	})
	if err != nil {
		panic(fmt.Sprintf("plugins: read the sources of this program: %v", err)) // they are part of it
	}
	return hashes
})

// Hash returns the hash of one of the shared packages, as its sources stand in a directory of Fletch.
func Hash(root fs.FS, importPath string) (string, error) {
	dir, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return "", fmt.Errorf("%s is no package of %s", importPath, module)
	}
	hash, _, err := hashPackage(root, dir)
	return hash, err
}

// hashPackage hashes the files of a package in the order of their names: each name, length and content.
func hashPackage(root fs.FS, dir string) (hash string, files int, err error) {
	entries, err := fs.ReadDir(root, dir)
	if err != nil {
		return "", 0, err
	}
	h := sha256.New()
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || name[0] == '_' || name[0] == '.' {
			continue // as the go tool does
		}
		text, err := fs.ReadFile(root, path.Join(dir, name))
		if err != nil {
			return "", 0, err
		}
		files++
		fmt.Fprintf(h, "%s %d\n", name, len(text))
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil)), files, nil
}
