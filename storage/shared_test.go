package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/fault/faulttest"
)

// pair is a shared output as its executors and its master have it.
type pair struct{ joined, adopted Output }

func openShared(job string, loc plan.Location) (Output, error) {
	if err := Stage(job, loc); err != nil {
		return nil, err
	}
	joined, err := JoinOutput(job, loc)
	if err != nil {
		return nil, err
	}
	adopted, err := AdoptOutput(job, loc)
	return &pair{joined, adopted}, err
}

func (p *pair) Create(attempt string, partition int) (*PartWriter, error) {
	return p.joined.Create(attempt, partition)
}
func (p *pair) Publish(parts []plan.Part) error { return p.adopted.Publish(parts) }
func (p *pair) Abort() error                    { return p.adopted.Abort() }

func at(path string) plan.Location { return plan.Location{Path: path, Suffix: ".txt"} }

// linkless is a file system without hard links, and without renames that replace nothing.
func linkless() disk {
	d := systemDisk
	d.link = func(string, string) error { return &os.LinkError{Op: "link", Err: unix.EPERM} }
	d.renameNoReplace = renameIfAbsent
	return d
}

var disks = map[string]disk{"hard links": systemDisk, "no hard links": linkless()}

var errDied = errors.New("the process died")

// mortal is a process that dies at one of the steps that it takes on a disk: the step fails, done or not, and so does
// all that follows.
type mortal struct {
	steps int  // until then
	done  bool // the last one still has its effect
	died  bool
}

func (m *mortal) step(do func() error) error {
	if m.died {
		return errDied
	}
	if m.steps--; m.steps >= 0 {
		return do()
	}
	m.died = true
	if m.done {
		if err := do(); err != nil {
			return err
		}
	}
	return errDied
}

func (m *mortal) disk(d disk) disk {
	one := func(do func(string) error) func(string) error {
		return func(path string) error { return m.step(func() error { return do(path) }) }
	}
	two := func(do func(_, _ string) error) func(_, _ string) error {
		return func(from, to string) error { return m.step(func() error { return do(from, to) }) }
	}
	return disk{
		create: func(path string) (f partFile, err error) {
			err = m.step(func() error { f, err = d.create(path); return err })
			if err != nil && f != nil {
				f.Close()
			}
			return &mortalFile{f, m}, err
		},
		mkdir: one(d.mkdir), link: two(d.link), rename: two(d.rename), renameNoReplace: two(d.renameNoReplace),
		syncDir: one(d.syncDir), remove: one(d.remove),
	}
}

type mortalFile struct {
	partFile
	m *mortal
}

func (f *mortalFile) Write(p []byte) (n int, err error) {
	err = f.m.step(func() error { n, err = f.partFile.Write(p); return err })
	return n, err
}
func (f *mortalFile) Sync() error   { return f.m.step(f.partFile.Sync) }
func (f *mortalFile) Remove() error { return f.m.step(f.partFile.Remove) }
func (f *mortalFile) Close() error  { return f.partFile.Close() } // the end of a process closes, too

// deaths runs a test for a death at each step, with the last step done and not done, until no step is left to die at.
func deaths(t *testing.T, test func(t *testing.T, d disk, m *mortal)) {
	for name, d := range disks {
		for _, done := range []bool{false, true} {
			steps := 0
			for died := true; died; steps++ {
				t.Run(fmt.Sprintf("%s, step %d, done %t", name, steps, done), func(t *testing.T) {
					m := &mortal{steps: steps, done: done}
					test(t, d, m)
					died = m.died
				})
			}
			if steps < 3 {
				t.Errorf("there were only %d steps", steps)
			}
		}
	}
}

// staged is a shared output with two parts that count and one that does not.
func staged(t *testing.T) (path string, parts []plan.Part) {
	path = filepath.Join(t.TempDir(), "above", "out")
	must(t, Stage("job-1", at(path)))
	o, err := JoinOutput("job-1", at(path))
	must(t, err)
	parts = []plan.Part{writePart(t, o, "a", 0, "zero"), writePart(t, o, "b", 1, "one")}
	writePart(t, o, "c", 1, "one")
	return path, parts
}

// wantAlone checks that what remains beside an output is the output alone, or nothing.
func wantAlone(t *testing.T, path string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	if !slices.Equal(found, names) {
		t.Errorf("beside the output is %q, want %q", found, names)
	}
}

func TestPublishAfterDeath(t *testing.T) {
	deaths(t, func(t *testing.T, d disk, m *mortal) {
		path, parts := staged(t)
		first, err := adoptOutput("job-1", at(path), m.disk(d))
		must(t, err)
		if err := first.Publish(parts); err != nil && !errors.Is(err, errDied) {
			t.Fatalf("published with %v", err)
		}
		second, err := adoptOutput("job-1", at(path), d)
		must(t, err)
		must(t, second.Publish(parts))
		wantParts(t, kinds[0], path, "zero", "one")
		wantAlone(t, path, "out")
		must(t, second.Publish(parts))
		must(t, second.Abort())
		wantParts(t, kinds[0], path, "zero", "one")
	})
}

// An output whose publishing was given up is there whole, or not at all.
func TestAbortAfterDeathInPublish(t *testing.T) {
	deaths(t, func(t *testing.T, d disk, m *mortal) {
		path, parts := staged(t)
		first, err := adoptOutput("job-1", at(path), m.disk(d))
		must(t, err)
		first.Publish(parts)
		second, err := adoptOutput("job-1", at(path), d)
		must(t, err)
		must(t, second.Abort())
		if _, err := os.Lstat(path); err == nil {
			wantParts(t, kinds[0], path, "zero", "one")
			wantAlone(t, path, "out")
		} else {
			wantAlone(t, path)
		}
	})
}

func TestAbortAfterDeath(t *testing.T) {
	deaths(t, func(t *testing.T, d disk, m *mortal) {
		path, _ := staged(t)
		first, err := adoptOutput("job-1", at(path), m.disk(d))
		must(t, err)
		if err := first.Abort(); (err == nil) == m.died {
			t.Errorf("died %t: %v", m.died, err)
		}
		second, err := adoptOutput("job-1", at(path), d)
		must(t, err)
		must(t, second.Abort())
		wantAlone(t, path)
		must(t, Stage("job-2", at(path)))
		must(t, second.Abort()) // it takes nothing from another job
		wantAlone(t, path, ".out.fletch-.cluster")
	})
}

func TestStageAfterDeath(t *testing.T) {
	deaths(t, func(t *testing.T, d disk, m *mortal) {
		path := filepath.Join(t.TempDir(), "above", "out")
		if err := stage("job-1", at(path), m.disk(d)); err != nil && !errors.Is(err, errDied) {
			t.Fatalf("staged with %v", err)
		}
		must(t, Stage("job-1", at(path)))
		o, err := openShared("job-1", at(path))
		must(t, err)
		must(t, o.Publish([]plan.Part{writePart(t, o, "a", 0, "text")}))
		wantAlone(t, path, "out")
	})
}

func TestAbortAfterDeathInStage(t *testing.T) {
	deaths(t, func(t *testing.T, d disk, m *mortal) {
		path := filepath.Join(t.TempDir(), "above", "out")
		stage("job-1", at(path), m.disk(d))
		o, err := AdoptOutput("job-1", at(path))
		must(t, err)
		must(t, o.Abort())
		if exists(filepath.Dir(path)) {
			wantAlone(t, path)
		}
		must(t, Stage("job-2", at(path)))
	})
}

// Masters that publish the same parts at once all succeed, and whoever sees the output sees it whole.
func TestPublishAtOnce(t *testing.T) {
	for name, d := range disks {
		t.Run(name, func(t *testing.T) {
			for range 15 {
				path, parts := staged(t)
				var wg sync.WaitGroup
				var left atomic.Int64
				left.Store(4)
				for range 4 {
					wg.Go(func() {
						defer left.Add(-1)
						o, err := adoptOutput("job-1", at(path), d)
						if err == nil {
							err = o.Publish(parts)
						}
						if _, late := o.holds(newManifest("job-1", ".txt", parts).encode()); err != nil || late != nil {
							t.Errorf("published with %v", err)
						}
					})
				}
				wg.Go(func() {
					for !exists(path) && left.Load() > 0 {
						runtime.Gosched()
					}
					if names, err := os.ReadDir(path); err != nil || len(names) != 3 {
						t.Errorf("a reader saw %v, %v", names, err)
					}
				})
				wg.Wait()
				wantParts(t, kinds[0], path, "zero", "one")
				wantAlone(t, path, "out")
			}
		})
	}
}

func TestStageReserves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	must(t, Stage("job-1", at(path)))
	must(t, Stage("job-1", at(path)))
	faulttest.Want(t, Stage("job-2", at(path)), fault.Permanent, "job job-1", path, "is writing")
	_, err := NewOutput("job-3", at(path))
	faulttest.Want(t, err, fault.Permanent, "job job-1", path)
	_, err = JoinOutput("job-2", at(path))
	faulttest.Want(t, err, fault.Permanent, "job job-1 writes there")
	must(t, Stage("job-2", at(path+"2")))

	o, err := openShared("job-1", at(path))
	must(t, err)
	must(t, o.Publish([]plan.Part{writePart(t, o, "a", 0, "text")}))
	faulttest.Want(t, Stage("job-2", at(path)), fault.Permanent, path, "already exists")
}

// Jobs stage and abort the same output without end: at no time have two of them staged it.
func TestStageAtOnce(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	path := filepath.Join(t.TempDir(), "above", "out")
	var holder atomic.Int64
	var staged atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		id, job := int64(i/2+1), fmt.Sprint("job-", i/2+1) // two masters of each job
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() {
			for range 80 {
				err := Stage(job, at(path))
				if err != nil {
					aborted := i%2 == 1 && isMissing(err) // before Stage could sync it
					if !aborted && (fault.ClassOf(err) != fault.Permanent || !strings.Contains(err.Error(), "is writing")) {
						t.Errorf("staged with %v", err)
					}
					continue
				}
				staged.Add(1)
				if i%2 == 1 {
					continue // the other master of the job aborts
				}
				if !holder.CompareAndSwap(0, id) {
					t.Errorf("%s has staged what job-%d has", job, holder.Load())
				}
				for range random.IntN(3) {
					SweepOutput(path)
				}
				if _, err := JoinOutput(job, at(path)); err != nil {
					t.Error(err)
				}
				holder.Store(0)
				o, err := AdoptOutput(job, at(path))
				if err == nil {
					err = o.Abort()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if staged.Load() < 8 {
		t.Errorf("staged %d times", staged.Load())
	}
	for id := range 4 {
		o, err := AdoptOutput(fmt.Sprint("job-", id+1), at(path))
		must(t, err)
		must(t, o.Abort())
	}
	wantAlone(t, path)
}

func TestStagingIsNotSwept(t *testing.T) {
	path, parts := staged(t)
	SweepOutput(path)
	if _, err := NewOutput("job-2", at(path)); err == nil {
		t.Error("another output was begun")
	}
	if files, err := (local{}).List(t.Context(), filepath.Dir(path)); err == nil {
		t.Errorf("an input lists %v", files)
	}
	o, err := AdoptOutput("job-1", at(path))
	must(t, err)
	must(t, o.Publish(parts))
	wantParts(t, kinds[0], path, "zero", "one")
}

// What is left of an abort that nobody ends is removed by the next output of the name.
func TestDeadStagingIsSwept(t *testing.T) {
	path, _ := staged(t)
	m := &mortal{steps: 2}
	o, err := adoptOutput("job-1", at(path), m.disk(systemDisk))
	must(t, err)
	if err := o.Abort(); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	wantAlone(t, path, ".out.fletch-.cluster", ".out.fletch-job-1.dead")
	must(t, Stage("job-2", at(path)))
	wantAlone(t, path, ".out.fletch-.cluster")
}

func TestSharedOutputRefuses(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		"mem:out":                         "memory",
		"relative/out":                    "absolute path",
		"s9://bucket/out":                 "s9://",
		filepath.Join(dir, "never", "go"): "is not visible on this machine: masters and workers need the same file system under the same name",
	} {
		_, err := JoinOutput("job-1", at(path))
		faulttest.Want(t, err, fault.Permanent, want)
		if !strings.HasPrefix(path, dir) {
			faulttest.Want(t, Stage("job-1", at(path)), fault.Permanent, want)
			_, err = AdoptOutput("job-1", at(path))
		} else {
			var o Output
			o, err = AdoptOutput("job-1", at(path))
			must(t, err)
			err = o.Publish([]plan.Part{{Name: "a.00000"}})
		}
		faulttest.Want(t, err, fault.Permanent, want)
	}
	faulttest.Want(t, Stage("job.dead", at(filepath.Join(dir, "out"))), fault.Permanent, "job id")
}

func TestJoinedOutput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	must(t, Stage("job-1", at(path)))
	o, err := JoinOutput("job-1", at(path))
	must(t, err)
	part := writePart(t, o, "a", 0, "text")
	faulttest.Want(t, o.Publish([]plan.Part{part}), fault.Permanent, "a master publishes")
	must(t, o.Abort())
	open, err := o.Create("b", 0)
	must(t, err)
	adopted, err := AdoptOutput("job-1", at(path))
	must(t, err)
	must(t, adopted.Abort())
	_, err = o.Create("c", 0)
	faulttest.Want(t, err, fault.Permanent, "not visible")
	if _, err := open.Commit(); err == nil {
		t.Error("a part of an aborted output was committed")
	}
	wantAlone(t, path)
}

func TestJoinedPartIsDurableWithItsName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	must(t, Stage("job-1", at(path)))
	broken := errors.New("broken disk")
	d := systemDisk
	var synced []string
	d.syncDir = func(path string) error { synced = append(synced, path); return broken }
	o, err := joinOutput("job-1", at(path), d)
	must(t, err)
	w, err := o.Create("a", 0)
	must(t, err)
	if _, err := w.Commit(); !errors.Is(err, broken) {
		t.Errorf("committed with %v", err)
	}
	if !slices.Equal(synced, []string{o.staging}) || exists(filepath.Join(o.staging, "a.00000")) {
		t.Errorf("synced %v", synced)
	}
}

// A part that was moved, as there are no links, is looked at before it is believed.
func TestPublishChecksWhatItFinds(t *testing.T) {
	for name, spoil := range map[string]func(to string) error{
		"flipped": func(to string) error { return os.WriteFile(to, []byte("zerO"), 0o666) },
		"cut":     func(to string) error { return os.Truncate(to, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			path, parts := staged(t)
			m := &mortal{steps: 4} // mkdir, no link, a rename, no link
			o, err := adoptOutput("job-1", at(path), m.disk(linkless()))
			must(t, err)
			if err := o.Publish(parts); !errors.Is(err, errDied) {
				t.Fatal(err)
			}
			must(t, spoil(filepath.Join(o.staging, publishName, "part-00000.txt")))
			o.disk = linkless()
			faulttest.Want(t, o.Publish(parts), fault.Permanent, "part a.00000 was committed with 4 and")
			wantNothing(t, kinds[0], path)
		})
	}
}

func TestPublishReplacesNoPart(t *testing.T) {
	for name, d := range disks {
		t.Run(name, func(t *testing.T) {
			path, parts := staged(t)
			d.syncDir = func(string) error { return errDied }
			o, err := adoptOutput("job-1", at(path), d)
			must(t, err)
			if err := o.Publish(parts); !errors.Is(err, errDied) {
				t.Fatal(err)
			}
			other := parts[1]
			other.Name = "c.00001" // the same bytes, of an attempt that lost
			faulttest.Want(t, o.Publish([]plan.Part{parts[0], other}), fault.Permanent, "made of another part")
		})
	}
}
