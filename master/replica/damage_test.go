package replica

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// find returns the first file whose content has the text, and where.
func find(t *testing.T, pattern, text string) (name string, at int64) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(content, []byte(text)); i >= 0 {
			return name, int64(i)
		}
	}
	t.Fatalf("nothing in %s has %q", pattern, text)
	return "", 0
}

// A master whose disk was damaged says so and stays down; the others go on without it.
func TestDamageOnTheDisk(t *testing.T) {
	logs, snapshots := filepath.Join(logDir, "*.wal"), filepath.Join(snapshotDir, "*")
	tests := []struct {
		name    string
		pattern string
		text    string
		offset  int64
	}{
		{"a command", logs, "job-1", 2},
		{"a command's envelope", logs, "job-1", -20},
		{"the last command", logs, "job-9", 2},
		{"a snapshot", snapshots, "job-1", 2},
		{"the start of a snapshot", snapshots, snapshotMagic, 1},
		{"what raft knows of a snapshot", snapshots, snapshotMagic, -3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := limits{}
			if test.pattern == snapshots {
				l = limits{bytes: 1 << 30, entries: 10, trailing: 1}
			}
			c := newClusterWith(t, 3, l)
			c.fill("job", 10)
			victim := c.followers()[0]
			eventually(t, victim.replica, "has all jobs", jobs(10))
			for l.entries > 0 && len(snapshotsOf(t, victim)) == 0 {
				<-time.After(time.Millisecond)
			}
			c.stop(victim.ID)
			name, at := find(t, filepath.Join(victim.dir, test.pattern), test.text)
			flip(t, name, at+test.offset)

			r := c.open(victim.ID, Config{})
			err := r.Run(c.context())
			c.masters[victim.ID].stop = nil
			if !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), "add this master again under a new ID") {
				t.Errorf("Run: %v, want the damage and what to do", err)
			}
			c.fill("without-it", 1)
		})
	}
}

// The files of another cluster, master or version are refused before anything is read or written.
func TestOpenRefuses(t *testing.T) {
	c := newCluster(t, 1)
	c.leader()
	dir := c.masters["m1"].dir
	config := Config{ID: "m1", Address: "127.0.0.1:1", Dir: dir, Cluster: "test", Listener: listen(t, "127.0.0.1:0")}
	defer config.Listener.Close()
	refused := func(what string, config Config, words ...string) {
		t.Helper()
		r, err := Open(config)
		if err == nil {
			t.Fatalf("%s is opened (%v)", what, r.Close())
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q does not say %q", what, err, word)
			}
		}
	}
	refused("a directory in use", config, "another process uses it")
	c.stop("m1")

	other := config
	other.Cluster = "production"
	refused("another cluster's directory", other, "belongs to cluster test, not to production")
	other = config
	other.ID = "m2"
	refused("another master's directory", other, "belongs to master m1, not to m2")

	name := filepath.Join(dir, identityName)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]string{
		"written in format 3, by a newer version of fletch":  strings.Replace(string(text), `"format":2`, `"format":3`, 1),
		"written in format 1, by an older version of fletch": strings.Replace(string(text), `"format":2`, `"format":1`, 1),
		"is damaged": "{",
	} {
		if err := os.WriteFile(name, []byte(change), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(what, config, what)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	refused("a log without an identity", config, "has a log, but replica.json is missing")

	other = config
	other.ID, other.Cluster, other.Address, other.Dir, other.Listener = "a b", "", "", "", nil
	other.ElectionTimeout, other.WriteDeadline = 1, -1
	other.Bootstrap = []Server{{ID: "m7", Address: "127.0.0.1:7"}}
	refused("a bad configuration", other, "ID is \"a b\"", "cluster identity is \"\"", "address is missing", "directory is missing",
		"listener is missing", "election timeout", "write deadline", "not among the first masters")
}

// A newer version's entry stops a replica; it is not skipped.
func TestNewerEntryStops(t *testing.T) {
	c := newCluster(t, 1)
	r := c.leader().replica
	c.masters["m1"].fails = true
	entry := encodeEntry([]byte{})
	entry[0] = entryVersion + 1
	r.running().Apply(entry, 0)
	receive(t, r.stopped)
	if err := c.masters["m1"].stop(); err == nil || !strings.Contains(err.Error(), "newer version of fletch") {
		t.Errorf("Run: %v", err)
	}
	// Nor does a restart pass it.
	c.masters["m1"].stop = nil
	if err := c.open("m1", Config{}).Run(c.context()); err == nil || !strings.Contains(err.Error(), "newer version of fletch") {
		t.Errorf("Run once more: %v", err)
	}
}
