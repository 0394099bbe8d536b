package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fletch/client"
	"fletch/engine/plan"
	pluginfile "fletch/plugins"
	"fletch/report"
)

// TestPluginRefused has plugins that can't be opened: submit says so, and so does a worker, when a client has not looked.
func TestPluginRefused(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	dir := t.TempDir()
	good, err := os.ReadFile(plugin(t, "wordcount"))
	must(t, err)
	manifest, shared := split(t, good)
	plain := plainBuild(t)

	cut := shared[:len(shared)/2]
	other := strings.Replace(string(good), `"fletch/fault":"`+manifest.Sources["fletch/fault"][:8], `"fletch/fault":"00000000`, 1)
	damaged := append([]byte(nil), good...)
	damaged[len(shared)/3] ^= 1
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"plain":     {plain, `fletch build has not made it`},
		"text":      {[]byte("no plugin"), `it is no shared object`},
		"truncated": {cut, `it is cut off after \d+ bytes of at least \d+`},
		"damaged":   {damaged, `the plugin is damaged`},
		"other":     {[]byte(other), `the sources of fletch/fault are others`},
		"nojob":     {stamp(t, manifest, plain), `has no function Job: its package declares func Job`},
	} {
		path := filepath.Join(dir, name+".so")
		must(t, os.WriteFile(path, test.file, 0o600))
		c.complains(t, 1, test.want, "submit", "--quiet", path, "--input", texts(t), "--output", dir+"/none")
		if name == "damaged" {
			continue // what it holds is what was submitted: nobody behind the client looks for the reason
		}
		j := submitUnseen(t, c, path, dir+"/"+name)
		if j.State != report.Failed || !regexp.MustCompile(test.want).MatchString(j.Error) {
			t.Errorf("%s: the job %s with %q, want %q", name, j.State, j.Error, test.want)
		}
	}
}

// plainBuild builds a package without a function Job as Go does, with the flags of fletch build.
func plainBuild(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plain.so")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "build", "-buildmode=plugin", "-ldflags=-s -w", "-o", path, "./testdata/jobs/nojob").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(path)
	must(t, err)
	return text
}

// split takes a plugin's manifest off: its text, its length in 8 bytes, and 16 bytes that end every plugin.
func split(t *testing.T, file []byte) (m pluginfile.Manifest, object []byte) {
	t.Helper()
	end := len(file) - 24
	at := end - int(binary.LittleEndian.Uint64(file[end:]))
	must(t, json.Unmarshal(file[at:end], &m))
	return m, file[:at]
}

// stamp adds a manifest.
func stamp(t *testing.T, m pluginfile.Manifest, object []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(object)
	m.Size, m.SHA256 = int64(len(object)), hex.EncodeToString(sum[:])
	file, err := m.Append(append([]byte(nil), object...))
	must(t, err)
	return file
}

// submitUnseen submits a plugin that nobody has looked at, and returns the end of its job.
func submitUnseen(t *testing.T, c *cluster, path, output string) client.Job {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cl, err := client.Dial(ctx, strings.Split(c.addresses(), ","))
	must(t, err)
	defer cl.Close()
	text, err := os.ReadFile(path)
	must(t, err)
	sum := sha256.Sum256(text)
	sha := hex.EncodeToString(sum[:])
	must(t, cl.PutPlugin(ctx, path, sha))
	id := client.NewID("unseen")
	_, err = cl.Submit(ctx, client.Submission{ID: id, Plugin: sha, Graph: &plan.Graph{Job: "unseen", Nodes: []plan.Node{
		{ID: 0, Kind: plan.Source, Op: "Range", Site: "test:1", Type: "value: int64", Source: &plan.Input{Items: 1}},
		{ID: 1, Kind: plan.Sink, Op: "Write", Site: "test:2", Type: "value: int64", Inputs: []int{0}, Sink: &plan.Location{Path: output, Suffix: ".txt"}},
	}}})
	must(t, err)
	j, err := cl.Watch(ctx, id, func(report.Job) {})
	must(t, err)
	return j
}
