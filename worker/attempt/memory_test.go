package attempt_test

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"fletch/engine"
	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/format/textio"
	"fletch/shuffle/spill"
)

// groups is a job whose reading stage has far more to keep than its share; f is called with the first group.
func groups(t *testing.T, f func() error) *engine.Job {
	job := engine.NewJob("groups")
	rows := engine.Map(engine.Range(job, 0, groupedRows), func(i int64) engine.KV[int64, string] {
		return engine.Pair(i*7919%groupedRows, fmt.Sprintf("%0100d", i))
	})
	sizes := engine.GroupByKey(rows, func(key int64, values iter.Seq[string]) iter.Seq[string] {
		return func(yield func(string) bool) {
			for v := range values {
				if !yield(v) {
					return
				}
			}
		}
	})
	first := true
	textio.Write(engine.Process(sizes, func(_ *engine.Task, v string, emit func(string)) error {
		emit(v)
		if !first {
			return nil
		}
		first = false
		return f()
	}), filepath.Join(t.TempDir(), "out"))
	return job
}

const groupedRows = 150_000

// spilled begins the reading stage of groups in a pool of 6 MiB.
func spilled(t *testing.T, f func(b *bench) error) (b *bench, reduce func() (plan.Result, error)) {
	t.Helper()
	b = newBench(t, groups(t, func() error { return f(b) }), 1)
	if _, err := b.run("map", plan.Task{Split: &plan.Split{Count: groupedRows}}); err != nil {
		t.Fatal(err)
	}
	b.job.Pool = budget.NewPool(6<<20, 1, 1)
	return b, func() (plan.Result, error) { return b.run("reduce", plan.Task{Stage: 1, Hi: 1}, "map") }
}

// spillFile returns the size of the attempt's spill file, or below zero if there is none.
func (b *bench) spillFile() int64 {
	info, err := os.Stat(filepath.Join(b.temp, spill.FileName("reduce")))
	if err != nil {
		return -1
	}
	return info.Size()
}

// TestSpill has an operator of a stage spill: the file is there while the attempt runs, and its figures are told.
func TestSpill(t *testing.T) {
	size := int64(0)
	b, reduce := spilled(t, func(b *bench) error { size = b.spillFile(); return nil })
	result, err := reduce()
	if err != nil {
		t.Fatal(err)
	}
	m := result.Metrics
	if size < 4<<20 || m.SpilledBytes < size/2 || m.Spills < 2 || m.SpillWaitNanos <= 0 {
		t.Errorf("a spill file of %d bytes, metrics %+v", size, m)
	}
	if m.PeakBytes < 4<<20 || m.PeakBytes > 8<<20 || m.GrantedBytes < m.PeakBytes {
		t.Errorf("the peak is %d, granted were %d", m.PeakBytes, m.GrantedBytes)
	}
	if m.RowsOut != groupedRows || b.spillFile() >= 0 {
		t.Errorf("%d rows came out; of the spill file are left %d bytes", m.RowsOut, b.spillFile())
	}
}

// TestSpillIsRemoved ends attempts that have spilled in every way.
func TestSpillIsRemoved(t *testing.T) {
	boom := errors.New("boom")
	for name, f := range map[string]func() error{
		"error":  func() error { return boom },
		"panic":  func() error { panic(boom) },
		"goexit": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			size := int64(-1)
			b, reduce := spilled(t, func(b *bench) error { size = b.spillFile(); return f() })
			if _, err := reduce(); fault.ClassOf(err) != fault.User {
				t.Errorf("error %v of class %v", err, fault.ClassOf(err))
			}
			if size < 0 || b.spillFile() >= 0 {
				t.Errorf("the spill file had %d bytes, left are %d", size, b.spillFile())
			}
			if n := b.job.Pool.Used(); n != 0 {
				t.Errorf("%d bytes are not given back", n)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		size, entered, leave := int64(-1), make(chan struct{}), make(chan struct{})
		b, _ := spilled(t, func(b *bench) error {
			size = b.spillFile()
			close(entered)
			<-leave
			return nil
		})
		s, stop := b.scheduler()
		defer stop()
		a := b.start(s, "reduce", plan.Task{Stage: 1, Hi: 1}, "map")
		select {
		case <-entered:
		case <-a.coroutine.Done():
			t.Fatalf("the attempt has ended: %v", a.err)
		}
		a.coroutine.Cancel(boom)
		close(leave)
		if _, err := b.outcome(a); !errors.Is(err, boom) {
			t.Errorf("error %v, want the cause", err)
		}
		if size < 0 || b.spillFile() >= 0 || b.job.Pool.Used() != 0 {
			t.Errorf("the spill file had %d bytes, left are %d, and %d bytes of memory", size, b.spillFile(), b.job.Pool.Used())
		}
	})
}

// TestDamagedSpill tells of a file that somebody has damaged.
func TestDamagedSpill(t *testing.T) {
	b, reduce := spilled(t, func(b *bench) error { return os.Truncate(filepath.Join(b.temp, spill.FileName("reduce")), 100) })
	_, err := reduce()
	if fault.ClassOf(err) != fault.Retryable || !strings.Contains(err.Error(), filepath.Join(b.temp, spill.FileName("reduce"))) {
		t.Errorf("error %v of class %v", err, fault.ClassOf(err))
	}
	if _, err := reduce(); err != nil {
		t.Errorf("the next attempt: %v", err)
	}
}

// TestSeats has attempts wait while the pool has no seat for them, during which they count as waiting, and run one after
// the other, or be cancelled.
func TestSeats(t *testing.T) {
	entered, leave := make(chan string), make(chan struct{})
	job := engine.NewJob("seats")
	textio.Write(engine.Process(engine.Range(job, 0, 3), func(task *engine.Task, i int64, emit func(string)) error {
		emit("")
		return task.Do(func() error {
			entered <- fmt.Sprint(i)
			<-leave
			return nil
		})
	}), filepath.Join(t.TempDir(), "out"))
	b := newBench(t, job, 0)
	b.job.Pool = budget.NewPool(31<<20, 3, 3)
	s, stop := b.scheduler()
	defer stop()
	var all []*started
	for i := range int64(3) {
		all = append(all, b.start(s, fmt.Sprint(i), plan.Task{Index: int(i), Split: &plan.Split{First: i, Count: 1}}))
	}
	if i := <-entered; i != "0" {
		t.Errorf("attempt %s has the seat", i)
	}
	// The only runner takes this one after all attempts.
	<-s.Spawn(coro.Spec{Name: "last"}, func(*coro.Coroutine) error { return nil }).Done()
	if all[0].progress.Waits.Load() || !all[1].progress.Waits.Load() || !all[2].progress.Waits.Load() {
		t.Error("not all who wait for a seat count as waiting, or not they alone")
	}
	all[1].coroutine.Cancel(errCause)
	if _, err := b.outcome(all[1]); !errors.Is(err, errCause) {
		t.Errorf("the cancelled one ends with %v", err)
	}
	leave <- struct{}{}
	if i := <-entered; i != "2" {
		t.Errorf("attempt %s has the next seat", i)
	}
	if _, err := b.outcome(all[0]); err != nil {
		t.Error(err)
	}
	if all[2].progress.Waits.Load() {
		t.Error("who has a seat counts as waiting")
	}
	leave <- struct{}{}
	if _, err := b.outcome(all[2]); err != nil {
		t.Error(err)
	}
}

var errCause = errors.New("somebody asked for the end")

// TestNoSeatWhileTheDiskIsAwaited lets the next attempt have the seat of one whose output is on its way to the disk.
func TestNoSeatWhileTheDiskIsAwaited(t *testing.T) {
	job := engine.NewJob("seats")
	computed := make(chan int64, 2)
	textio.Write(engine.Map(engine.Range(job, 0, 2), func(i int64) string {
		computed <- i
		return ""
	}), filepath.Join(t.TempDir(), "out"))
	b := newBench(t, job, 0)
	b.job.Pool = budget.NewPool(31<<20, 1, 1)
	s, stop := b.schedulerOf(coro.Config{Runners: 1, IO: 1})
	defer stop()
	busy := make(chan struct{}) // what makes outputs durable stands behind this
	disk := s.Spawn(coro.Spec{Name: "disk"}, func(c *coro.Coroutine) error {
		_, err := coro.Await(c, coro.Go(c, func() (struct{}, error) { <-busy; return struct{}{}, nil }))
		return err
	})
	var all []*started
	for i := range int64(2) {
		all = append(all, b.start(s, fmt.Sprint(i), plan.Task{Index: int(i), Split: &plan.Split{First: i, Count: 1}}))
	}
	for want := range int64(2) {
		if i := <-computed; i != want {
			t.Errorf("attempt %d computes, want %d", i, want)
		}
	}
	close(busy)
	<-disk.Done()
	for _, a := range all {
		if r, err := b.outcome(a); err != nil || r.Metrics.PeakBytes == 0 {
			t.Errorf("error %v, a peak of %d bytes", err, r.Metrics.PeakBytes)
		}
	}
}

// TestSampleOfLongKeys sees that a sample keeps little of long keys, and counts what it keeps.
func TestSampleOfLongKeys(t *testing.T) {
	const n, most = 600, 512 * 400 // of 512 keys
	job := engine.NewJob("long")
	var b *bench
	counted := int64(0)
	lines := engine.Map(engine.Range(job, 0, n), func(i int64) string { return strings.Repeat(string(rune('a'+i%20)), 16<<10) })
	textio.Write(engine.SortBy(lines, engine.Asc(func(s string) string {
		counted = b.job.Pool.Used()
		return s
	})), filepath.Join(t.TempDir(), "out"))
	b = newBench(t, job, 4)
	sample := slices.IndexFunc(b.job.Stages, func(s plan.Stage) bool { return s.Thin })
	r, err := b.run("sample", plan.Task{Stage: sample, Split: &plan.Split{Count: n}})
	if err != nil {
		t.Fatal(err)
	}
	if kept := r.Metrics.ShuffleBytes; kept > most || counted < kept {
		t.Errorf("the sample has %d bytes, at most %d are wanted; %d were counted while it was taken", kept, most, counted)
	}
}

// TestSideFitsAfterTheLimitFell keeps a side that fits into what the attempt was sure of when it began, although the process has
// less by the time that the side is read.
func TestSideFitsAfterTheLimitFell(t *testing.T) {
	const n = 60_000
	job := engine.NewJob("lowered")
	small := engine.Map(engine.Range(job, 0, n), func(i int64) string { return fmt.Sprintf("%0100d", i) })
	var b *bench
	large := engine.Map(engine.Range(job, 0, 10), func(i int64) int64 {
		b.job.Pool.SetLimit(4 << 20)
		return i
	})
	textio.Write(engine.Broadcast(large, small, func(i int64, all []string) iter.Seq[string] {
		return func(yield func(string) bool) { yield(fmt.Sprint(i, len(all))) }
	}), filepath.Join(t.TempDir(), "out"))
	b = newBench(t, job, 1)
	b.job.Pool = budget.NewPool(24<<20, 1, 1)
	if _, err := b.run("small", plan.Task{Stage: 0, Split: &plan.Split{Count: n}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.run("large", plan.Task{Stage: 1, Split: &plan.Split{Count: 10}}, "small"); err != nil {
		t.Fatal(err)
	}
}

// TestTooManyPartitions names the operator whose partitions do not fit into memory.
func TestTooManyPartitions(t *testing.T) {
	job := engine.NewJob("many")
	dealt := engine.Repartition(engine.Range(job, 0, 10), 60_000)
	textio.Write(engine.Map(dealt, func(i int64) string { return fmt.Sprint(i) }), filepath.Join(t.TempDir(), "out"))
	b := newBench(t, job, 0)
	_, err := b.run("write", plan.Task{Split: &plan.Split{Count: 10}})
	if fault.ClassOf(err) != fault.User || !strings.Contains(err.Error(), "Repartition") || !strings.Contains(err.Error(), "60000 partitions") {
		t.Errorf("error is %v of class %v", err, fault.ClassOf(err))
	}
	b.empty()
}
