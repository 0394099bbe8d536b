package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/fault/faulttest"
)

// kind is one implementation of Output, as the acceptance tests see it.
type kind struct {
	name string
	open func(job string, loc plan.Location) (Output, error)
	path func(t *testing.T) string
	// read returns the published parts, in order.
	read func(t *testing.T, path string) ([]string, bool)
	// occupy puts something under the output's name, as another program would.
	occupy func(t *testing.T, path string)
}

var kinds = []kind{
	{
		name: "directory",
		open: NewOutput,
		path: func(t *testing.T) string { return filepath.Join(t.TempDir(), "a", "b", "out") },
		read: readDir,
		occupy: func(t *testing.T, path string) {
			must(t, os.MkdirAll(path, 0o777))
		},
	},
	{
		name: "shared directory",
		open: openShared,
		path: func(t *testing.T) string { return filepath.Join(t.TempDir(), "a", "b", "out") },
		read: readDir,
		occupy: func(t *testing.T, path string) {
			must(t, os.MkdirAll(path, 0o777))
		},
	},
	{
		name: "memory",
		open: NewOutput,
		path: func(t *testing.T) string {
			path := "mem:" + t.Name()
			t.Cleanup(func() { MemParts(path) })
			return path
		},
		read: func(_ *testing.T, path string) ([]string, bool) {
			parts, ok := MemParts(path)
			var texts []string
			for _, p := range parts {
				texts = append(texts, string(p))
			}
			return texts, ok
		},
		occupy: func(t *testing.T, path string) {
			o, err := NewOutput("occupier", plan.Location{Path: path, Suffix: ".txt"})
			must(t, err)
			must(t, o.Publish([]plan.Part{writePart(t, o, "x", 0, "occupied")}))
		},
	},
}

// readDir reads a published directory through its manifest, which has to tell the truth.
func readDir(t *testing.T, path string) ([]string, bool) {
	text, err := os.ReadFile(filepath.Join(path, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false
	}
	must(t, err)
	var m manifest
	must(t, json.Unmarshal(text, &m))
	entries, err := os.ReadDir(path)
	must(t, err)
	if len(entries) != len(m.Parts)+1 {
		t.Fatalf("%d files beside the manifest of %d parts", len(entries)-1, len(m.Parts))
	}
	var texts []string
	for i, p := range m.Parts {
		if want := fmt.Sprintf("part-%05d.txt", i); p.Name != want {
			t.Errorf("part %d is named %s, want %s", i, p.Name, want)
		}
		content, err := os.ReadFile(filepath.Join(path, p.Name))
		must(t, err)
		if sum := fmt.Sprintf("%08x", crc32.Checksum(content, castagnoli)); sum != p.CRC32C || int64(len(content)) != p.Bytes {
			t.Errorf("manifest of %s: crc32c %s, %d bytes; want %s, %d", p.Name, p.CRC32C, p.Bytes, sum, len(content))
		}
		texts = append(texts, string(content))
	}
	return texts, true
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func begin(t *testing.T, job, path string) Output {
	t.Helper()
	return kinds[0].begin(t, job, path)
}

func (k kind) begin(t *testing.T, job, path string) Output {
	t.Helper()
	o, err := k.open(job, plan.Location{Path: path, Suffix: ".txt"})
	must(t, err)
	t.Cleanup(func() { must(t, o.Abort()) })
	return o
}

func writePart(t *testing.T, o Output, attempt string, partition int, text string) plan.Part {
	t.Helper()
	w, err := o.Create(attempt, partition)
	must(t, err)
	_, err = w.Write([]byte(text))
	must(t, err)
	w.AddRows(int64(strings.Count(text, "\n")))
	p, err := w.Commit()
	must(t, err)
	if p.Partition != partition || p.Bytes != int64(len(text)) || p.CRC32C != crc32.Checksum([]byte(text), castagnoli) {
		t.Errorf("committed %+v for %d bytes of partition %d", p, len(text), partition)
	}
	return p
}

// TestOutput is the acceptance test of Output.
func TestOutput(t *testing.T) {
	cases := map[string]func(*testing.T, kind, string){
		"publishes the parts in the given order": publishesInOrder,
		"publishes nothing before Publish":       publishesNothingEarly,
		"publishes again without harm":           publishesTwice,
		"takes no part of a losing attempt":      dropsLosers,
		"refuses a path that exists":             refusesExisting,
		"replaces nothing that appeared":         replacesNothing,
		"lets one of two jobs win":               oneWins,
		"refuses wrong parts":                    refusesWrongParts,
		"refuses bad names":                      refusesBadNames,
		"aborts":                                 aborts,
		"takes large and many writes":            takesLargeWrites,
	}
	for _, k := range kinds {
		for name, run := range cases {
			if k.name == "shared directory" && name == "lets one of two jobs win" {
				continue // it does not let a second one begin
			}
			t.Run(k.name+" "+name, func(t *testing.T) { run(t, k, k.path(t)) })
		}
	}
}

func wantParts(t *testing.T, k kind, path string, want ...string) {
	t.Helper()
	got, ok := k.read(t, path)
	if !ok {
		t.Fatal("nothing was published")
	}
	if strings.Join(got, "|") != strings.Join(want, "|") || len(got) != len(want) {
		t.Errorf("published %q, want %q", got, want)
	}
}

func wantNothing(t *testing.T, k kind, path string) {
	t.Helper()
	if got, ok := k.read(t, path); ok {
		t.Errorf("published %q, want nothing", got)
	}
}

func publishesInOrder(t *testing.T, k kind, path string) {
	o := k.begin(t, "job-1", path)
	two := writePart(t, o, "s0.t2.a1", 2, "two\n")
	one := writePart(t, o, "s0.t1.a3", 1, "one\nmore\n")
	none := writePart(t, o, "s0.t0.a1", 0, "")
	must(t, o.Publish([]plan.Part{none, one, two}))
	must(t, o.Abort())
	wantParts(t, k, path, "", "one\nmore\n", "two\n")
}

func publishesNothingEarly(t *testing.T, k kind, path string) {
	o := k.begin(t, "job-1", path)
	writePart(t, o, "a", 0, "text")
	wantNothing(t, k, path)
}

func publishesTwice(t *testing.T, k kind, path string) {
	o := k.begin(t, "job-1", path)
	parts := []plan.Part{writePart(t, o, "a", 0, "text")}
	must(t, o.Publish(parts))
	must(t, o.Publish(parts))
	wantParts(t, k, path, "text")
}

func dropsLosers(t *testing.T, k kind, path string) {
	o := k.begin(t, "job-1", path)
	winner := writePart(t, o, "a1", 0, "winner")
	writePart(t, o, "a2", 0, "loser")
	unfinished, err := o.Create("a3", 0)
	must(t, err)
	_, err = unfinished.Write([]byte("unfinished"))
	must(t, err)
	must(t, unfinished.Discard())
	must(t, o.Publish([]plan.Part{winner}))
	wantParts(t, k, path, "winner")
}

func refusesExisting(t *testing.T, k kind, path string) {
	k.occupy(t, path)
	_, err := k.open("job-1", plan.Location{Path: path})
	faulttest.Want(t, err, fault.Permanent, path, "already exists", "remove it")
}

func replacesNothing(t *testing.T, k kind, path string) {
	o := k.begin(t, "job-1", path)
	parts := []plan.Part{writePart(t, o, "a", 0, "text")}
	k.occupy(t, path)
	faulttest.Want(t, o.Publish(parts), fault.Permanent, path, "appeared")
	if got, _ := k.read(t, path); len(got) == 1 && got[0] == "text" {
		t.Error("it was replaced")
	}
	if k.name != "memory" {
		must(t, os.Remove(path))
	}
	must(t, o.Publish(parts)) // nothing was lost
	wantParts(t, k, path, "text")
}

func oneWins(t *testing.T, k kind, path string) {
	const jobs = 8
	var outputs [jobs]Output
	var parts [jobs]plan.Part
	for i := range jobs {
		outputs[i] = k.begin(t, fmt.Sprint("job-", i), path)
		parts[i] = writePart(t, outputs[i], "a", 0, fmt.Sprint("of ", i))
	}
	var errs [jobs]error
	var wg sync.WaitGroup
	for i := range jobs {
		wg.Go(func() { errs[i] = outputs[i].Publish(parts[i : i+1]) })
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		if err != nil {
			faulttest.Want(t, err, fault.Permanent, "appeared")
			continue
		}
		if winner >= 0 {
			t.Errorf("both %d and %d won", winner, i)
		}
		winner = i
	}
	wantParts(t, k, path, fmt.Sprint("of ", winner))
}

func refusesWrongParts(t *testing.T, k kind, path string) {
	o := k.begin(t, "job-1", path)
	good := writePart(t, o, "a", 0, "text")
	longer, missing, escaping := good, good, good
	longer.Bytes++
	missing.Name = "b.00000"
	escaping.Name = "../a.00000"
	for name, parts := range map[string][]plan.Part{
		"no parts":  nil,
		"twice":     {good, good},
		"size":      {longer},
		"missing":   {missing},
		"elsewhere": {escaping},
	} {
		if err := o.Publish(parts); err == nil {
			t.Errorf("%s: no error", name)
		}
		wantNothing(t, k, path)
	}
	must(t, o.Publish([]plan.Part{good}))
}

func refusesBadNames(t *testing.T, k kind, path string) {
	for _, job := range []string{"", ".job", "a/b", "a b", "..", strings.Repeat("j", maxJobID+1)} {
		_, err := k.open(job, plan.Location{Path: path})
		faulttest.Want(t, err, fault.Permanent, "job id")
	}
	_, err := k.open("job-1", plan.Location{Path: path, Suffix: "/../x"})
	faulttest.Want(t, err, fault.Permanent, "suffix")
	o := k.begin(t, "job-1", path)
	for _, attempt := range []string{"", ".a", "a/b", "../a", strings.Repeat("a", maxAttempt+1)} {
		_, err := o.Create(attempt, 0)
		faulttest.Want(t, err, fault.Permanent, "attempt")
	}
	_, err = o.Create("a", -1)
	faulttest.Want(t, err, fault.Permanent, "partition")
	writePart(t, o, "a", 0, "text")
	if _, err := o.Create("a", 0); err == nil {
		t.Error("one attempt began the same part twice")
	}
}

func aborts(t *testing.T, k kind, path string) {
	o := k.begin(t, "job-1", path)
	part := writePart(t, o, "a", 0, "text")
	must(t, o.Abort())
	must(t, o.Abort())
	wantNothing(t, k, path)
	if err := o.Publish([]plan.Part{part}); err == nil {
		t.Error("an aborted output was published")
	}
	if k.name != "memory" {
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) > 0 {
			t.Errorf("left behind: %v, %v", entries, err)
		}
	}
	k.begin(t, "job-1", path)
}

func takesLargeWrites(t *testing.T, k kind, path string) {
	o := k.begin(t, "job-1", path)
	w, err := o.Create("a", 0)
	must(t, err)
	var want strings.Builder
	for i := range 3000 {
		chunk := strings.Repeat(string(rune('a'+i%26)), i)
		want.WriteString(chunk)
		_, err := w.Write([]byte(chunk))
		must(t, err)
	}
	p, err := w.Commit()
	must(t, err)
	if _, err := w.Commit(); err == nil {
		t.Error("a part was committed twice")
	}
	must(t, o.Publish([]plan.Part{p}))
	wantParts(t, k, path, want.String())
}

func TestOutputOfUnknownScheme(t *testing.T) {
	_, err := NewOutput("job-1", plan.Location{Path: "s9://bucket/out"})
	faulttest.Want(t, err, fault.Permanent, "s9://")
}

func TestOutputAboveFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o666))
	if _, err := NewOutput("job-1", plan.Location{Path: filepath.Join(file, "out")}); err == nil {
		t.Error("an output was begun below a file")
	}
}

func TestOutputTwiceByOneJob(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	begin(t, "job-1", path)
	_, err := NewOutput("job-1", plan.Location{Path: path})
	faulttest.Want(t, err, fault.Permanent, path, "already writing")
}

// The steps that a disk can fail, and what each leaves behind: an error, no output, and parts that can still be
// published once the disk is well again.
func TestOutputOnFailingDisk(t *testing.T) {
	broken := errors.New("broken disk")
	fail := func(string, string) error { return broken }
	for name, failing := range map[string]func(*disk){
		"link":     func(d *disk) { d.link = fail },
		"rename":   func(d *disk) { d.renameNoReplace = fail },
		"sync":     func(d *disk) { d.syncDir = func(string) error { return broken } },
		"manifest": func(d *disk) { d.create = func(string) (partFile, error) { return nil, broken } },
		"manifest sync": func(d *disk) {
			d.create = func(path string) (partFile, error) {
				f, err := systemDisk.create(path)
				return &failingFile{partFile: f, syncErr: broken}, err
			}
		},
		"manifest write": func(d *disk) {
			d.create = func(path string) (partFile, error) {
				f, err := systemDisk.create(path)
				return &failingFile{partFile: f, room: 10, writeErr: broken}, err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out")
			o, err := newDirOutput("job-1", plan.Location{Path: path, Suffix: ".txt"}, systemDisk)
			must(t, err)
			parts := []plan.Part{writePart(t, o, "a", 0, "zero"), writePart(t, o, "a", 1, "one")}
			failing(&o.disk)
			if err := o.Publish(parts); !errors.Is(err, broken) {
				t.Fatalf("published with %v", err)
			}
			wantNothing(t, kinds[0], path)
			o.disk = systemDisk
			must(t, o.Publish(parts))
			wantParts(t, kinds[0], path, "zero", "one")
		})
	}
}

func TestOutputWithoutHardLinksAndNoReplace(t *testing.T) {
	d := systemDisk
	d.link = func(string, string) error { return &os.LinkError{Op: "link", Err: unix.EPERM} }
	d.renameNoReplace = renameIfAbsent
	path := filepath.Join(t.TempDir(), "out")
	o, err := newDirOutput("job-1", plan.Location{Path: path, Suffix: ".txt"}, d)
	must(t, err)
	parts := []plan.Part{writePart(t, o, "a", 0, "zero"), writePart(t, o, "a", 1, "one")}
	must(t, os.MkdirAll(filepath.Join(path, "of another"), 0o777))
	faulttest.Want(t, o.Publish(parts), fault.Permanent, "appeared")
	must(t, os.RemoveAll(path))
	must(t, o.Publish(parts))
	wantParts(t, kinds[0], path, "zero", "one")
}

func TestOutputSweepsTheDead(t *testing.T) {
	parent := t.TempDir()
	path := filepath.Join(parent, "out")
	staged := func(job string) string { return filepath.Join(parent, ".out.fletch-"+job) }
	begin(t, "living", path)
	die(t, begin(t, "dead", path).(*dirOutput).owner.(*owned))
	must(t, os.Mkdir(staged("empty"), 0o777))
	must(t, os.MkdirAll(filepath.Join(staged("unlocked"), "data"), 0o777))
	other := begin(t, "dead", filepath.Join(parent, "other")).(*dirOutput).owner.(*owned)
	die(t, other)

	begin(t, "new", path)
	for dir, want := range map[string]bool{
		staged("living"): true, staged("new"): true, staged("unlocked"): true, other.dir: true,
		staged("dead"): false, staged("empty"): false, staged("dead") + deadSuffix: false,
	} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s exists: %v, want %v", dir, err == nil, want)
		}
	}
}

// die gives up a directory as the death of its process would.
func die(t *testing.T, o *owned) {
	t.Helper()
	must(t, o.lock.Close())
	o.lock = nil
}
