package replica

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"

	"fletch/master/state"
)

func openSmallLog(t *testing.T, dir string) (*disk, error) {
	t.Helper()
	log, err := wal.Open(dir, wal.WithSegmentSize(8<<10), wal.WithLogger(newRaftLog(discard)))
	if err != nil {
		return nil, err
	}
	return &disk{store: log, deadline: patience, failure: newFailure()}, nil
}

// checked is what verify finds, which ends its goroutine at damage.
func checked(d *disk) error {
	var err error
	var work sync.WaitGroup
	work.Go(func() { err = d.verify() })
	work.Wait()
	return errors.Join(err, d.failure.cause())
}

func entries(t *testing.T, d *disk) []raft.Log {
	t.Helper()
	first, _ := d.FirstIndex()
	last, _ := d.LastIndex()
	var list []raft.Log
	for i := first; i <= last && i > 0; i++ {
		var log raft.Log
		if err := d.GetLog(i, &log); err != nil {
			t.Fatal(err)
		}
		log.AppendedAt = time.Time{} // nobody reads it
		list = append(list, log)
	}
	return list
}

// Whichever byte of a log changes while nobody uses it, that is found, or changes nothing.
func TestEveryFlippedByteIsFound(t *testing.T) {
	whole := t.TempDir()
	d, err := openSmallLog(t, whole)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(5) {
		payload, err := encodeCommand(state.Publish{Job: fmt.Sprint("job-", i)})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.StoreLog(&raft.Log{Index: i + 1, Term: 3, Data: encodeEntry(payload), AppendedAt: epoch}); err != nil {
			t.Fatal(err)
		}
	}
	want := entries(t, d)
	if err := errors.Join(d.markEnd(), d.Close()); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(whole, "*.wal"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%v (%v)", names, err)
	}
	content, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	used := len(strings.TrimRight(string(content), "\x00"))
	found := 0
	for at := range used {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(at))
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		flip(t, filepath.Join(dir, filepath.Base(names[0])), int64(at))
		d, err := openSmallLog(t, dir)
		if err != nil {
			found++
			continue
		}
		if checked(d) != nil {
			found++
		} else if have := entries(t, d); !reflect.DeepEqual(have, want) {
			t.Errorf("byte %d of %d flipped: nothing is found, and the log is another one: %+v", at, used, have)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d flipped bytes found", found, used)
	if found < used/2 {
		t.Error("hardly any damage is found")
	}
}

// faulty is a store whose writes hang or fail when told to.
type faulty struct {
	store
	hang chan struct{} // writes wait until it is closed; nil: they fail

	mu     sync.Mutex
	armed  bool
	writes int // since it was armed
}

func (f *faulty) StoreLogs(logs []*raft.Log) error {
	f.mu.Lock()
	armed := f.armed
	if armed {
		f.writes++
	}
	f.mu.Unlock()
	switch {
	case !armed:
		return f.store.StoreLogs(logs)
	case f.hang != nil:
		<-f.hang
	}
	return errors.New("input/output error")
}

func (f *faulty) arm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = true
}

// After a write that failed nothing more is asked of a disk.
func TestDiskFailsOnce(t *testing.T) {
	log, err := openSmallLog(t, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	f := &faulty{store: log.store}
	d := &disk{store: f, deadline: patience, failure: newFailure()}
	entry := &raft.Log{Index: 1, Term: 1}
	if err := d.StoreLog(entry); err != nil {
		t.Fatal(err)
	}
	f.arm()
	for range 3 {
		if err := d.StoreLog(&raft.Log{Index: 2, Term: 1}); err == nil || !strings.Contains(err.Error(), "input/output error") {
			t.Errorf("StoreLog: %v", err)
		}
	}
	if f.writes != 1 {
		t.Errorf("%d writes were tried", f.writes)
	}
	if err := d.Set([]byte("key"), nil); err == nil {
		t.Error("Set works on a disk that has failed")
	}
	returned := false
	var work sync.WaitGroup
	work.Go(func() {
		_ = d.GetLog(1, entry)
		returned = true
	})
	work.Wait()
	if returned {
		t.Error("GetLog gives raft an error at which it panics")
	}
}

// A disk that hangs or fails ends Run within the deadline, on a leader and on a follower; no write is tried again, and
// the others go on.
func TestFaultyDisk(t *testing.T) {
	for _, test := range []struct {
		name   string
		hangs  bool
		leader bool
		want   string
	}{
		{"a leader's disk hangs", true, true, "the disk has not answered within 300ms"},
		{"a follower's disk hangs", true, false, "the disk has not answered within 300ms"},
		{"a leader's disk fails", false, true, "input/output error"},
		{"a follower's disk fails", false, false, "input/output error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, 3)
			c.must(submitOf("before", 1))
			victim := c.followers()[0].ID
			c.stop(victim)
			f := &faulty{}
			if test.hangs {
				f.hang = make(chan struct{})
			}
			ended := c.runWith(victim, Config{WriteDeadline: 300 * time.Millisecond}, func(s store) store {
				f.store = s
				return f
			})
			r := c.masters[victim].replica
			eventually(t, r, "has the job", has("before"))
			for test.leader && c.leader().ID != victim {
				_ = c.leader().replica.Transfer(c.context())
			}
			f.arm()
			began := time.Now()
			if test.leader {
				if err := r.Apply(c.context(), submitOf("during", 1))[0].Err; !errors.Is(err, ErrUnknown) {
					t.Errorf("a command of the faulty leader: %v, want ErrUnknown", err)
				}
			} else {
				c.must(submitOf("during", 1))
			}
			err := receive(t, ended)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("Run took %s to end", took)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Run: %v, want %q", err, test.want)
			}
			c.must(submitOf("after", 1))
			if test.hangs {
				close(f.hang)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.writes != 1 {
				t.Errorf("%d writes were tried", f.writes)
			}
		})
	}
}
