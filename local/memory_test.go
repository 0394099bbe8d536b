package local_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"fletch/engine"
	"fletch/fault"
	"fletch/format/textio"
	"fletch/local"
	"fletch/worker/attempt"
)

const leastMemory = 64 << 20

// shuffled returns n lines of about 50 bytes, in no order, that differ.
func shuffled(job *engine.Job, n int64) engine.Dataset[string] {
	return engine.Map(engine.Range(job, 0, n), func(i int64) string {
		return fmt.Sprintf("%016x the rest of line %020d", uint64(i)*0x9e3779b97f4a7c15, i)
	})
}

// TestWithinItsMemory runs jobs over several times the least memory: no attempt is granted more than there is for all.
func TestWithinItsMemory(t *testing.T) {
	for name, declare := range map[string]func(job *engine.Job, path string){
		"count": func(job *engine.Job, path string) {
			textio.Write(engine.Map(engine.Count(shuffled(job, 600_000)), func(kv engine.KV[string, int64]) string { return kv.Key }), path)
		},
		"repartition": func(job *engine.Job, path string) {
			textio.Write(engine.Repartition(shuffled(job, 2_000_000), 5), path)
		},
		"sort": func(job *engine.Job, path string) {
			textio.Write(engine.SortBy(shuffled(job, 1_000_000), engine.Asc(func(line string) string { return line })), path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			job := engine.NewJob(name)
			declare(job, filepath.Join(t.TempDir(), "out"))
			out, err := local.Run(context.Background(), job, local.Config{MemoryBytes: leastMemory, Partitions: 2, TempDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			spilled := int64(0)
			for _, s := range out.Stages {
				m := s.Metrics
				spilled += m.SpilledBytes
				if m.PeakBytes == 0 || m.GrantedBytes < m.PeakBytes || m.PeakBytes > attempt.PoolBytes(leastMemory) {
					t.Errorf("stage %d: an attempt held %d bytes, %d were granted", s.ID, m.PeakBytes, m.GrantedBytes)
				}
				if (m.SpilledBytes > 0) != (m.Spills > 0) || (m.Spills > 0) != (m.SpillWaitNanos > 0) {
					t.Errorf("stage %d: %d bytes in %d spills, waited %d ns", s.ID, m.SpilledBytes, m.Spills, m.SpillWaitNanos)
				}
			}
			if spilled < 10<<20 {
				t.Errorf("%d bytes were spilled", spilled)
			}
		})
	}
}

// TestDamagedSpill damages the file of an attempt that has begun to merge what it has spilled: the attempt fails, with an
// error that names the file, and another one succeeds.
func TestDamagedSpill(t *testing.T) {
	const lines = 700_000
	for name, damage := range map[string]func(path string, size int64) error{
		"flipped": func(path string, size int64) error {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			for at := size / 4; at < size && err == nil; at += 100_000 {
				var b [1]byte
				if _, err = f.ReadAt(b[:], at); err == nil {
					b[0] ^= 1
					_, err = f.WriteAt(b[:], at)
				}
			}
			return err
		},
		"cut": func(path string, size int64) error { return os.Truncate(path, size/2) },
	} {
		t.Run(name, func(t *testing.T) {
			var warnings lockedBuffer
			temp, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
			config := local.Config{
				MemoryBytes: leastMemory, Partitions: 1, TempDir: temp, Log: slog.New(slog.NewTextHandler(&warnings, nil)),
			}
			var damaged atomic.Int64
			job := engine.NewJob("damaged")
			sorted := engine.SortBy(shuffled(job, lines), engine.Asc(func(line string) string { return line }))
			textio.Write(engine.Process(sorted, func(_ *engine.Task, line string, emit func(string)) error {
				emit(line)
				if damaged.Load() > 0 {
					return nil
				}
				files, err := filepath.Glob(filepath.Join(temp, "fletch-*", "*.spill"))
				if err != nil || len(files) != 1 {
					return fmt.Errorf("the spill files are %q, %w", files, err)
				}
				info, err := os.Stat(files[0])
				if err == nil {
					damaged.Store(info.Size())
					err = damage(files[0], info.Size())
				}
				return err
			}), out)
			result, err := local.Run(context.Background(), job, config)
			if err != nil {
				t.Fatal(err)
			}
			last := result.Stages[len(result.Stages)-1]
			if damaged.Load() < 10<<20 || last.Attempts != 2 {
				t.Errorf("%d bytes were spilled, %d attempts made", damaged.Load(), last.Attempts)
			}
			if text := warnings.String(); !strings.Contains(text, "read spill file "+temp) || !strings.Contains(text, ".spill: ") || !strings.Contains(text, " at ") {
				t.Errorf("the log does not name file and byte: %s", text)
			}
			have, err := os.ReadFile(filepath.Join(out, "part-00000.txt"))
			if err != nil || bytes.Count(have, []byte("\n")) != lines {
				t.Errorf("%d lines, %v", bytes.Count(have, []byte("\n")), err)
			}
			if left := files(t, temp); len(left) > 0 {
				t.Errorf("%v is left", names(left))
			}
		})
	}
}

// TestSpillIsDamagedForEver gives up after a few attempts.
func TestSpillIsDamagedForEver(t *testing.T) {
	temp := t.TempDir()
	job := engine.NewJob("damaged")
	sorted := engine.SortBy(shuffled(job, 700_000), engine.Asc(func(line string) string { return line }))
	textio.Write(engine.Process(sorted, func(_ *engine.Task, line string, emit func(string)) error {
		emit(line)
		files, err := filepath.Glob(filepath.Join(temp, "fletch-*", "*.spill"))
		for _, f := range files {
			err = errors.Join(err, os.Truncate(f, 1000))
		}
		return err
	}), filepath.Join(t.TempDir(), "out"))
	_, err := local.Run(context.Background(), job, local.Config{MemoryBytes: leastMemory, Partitions: 1, TempDir: temp})
	if err == nil || fault.ClassOf(err) != fault.Retryable || !strings.Contains(err.Error(), "read spill file "+temp) {
		t.Errorf("error is %v of class %v", err, fault.ClassOf(err))
	}
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
