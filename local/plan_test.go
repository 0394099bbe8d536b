package local_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fletch/engine"
	"fletch/engine/exec"
	"fletch/engine/plan"
	"fletch/format/textio"
	"fletch/local"
)

// The following change operators of a job to what the plan can be asked for, to see that it comes about.

// meet makes a union the meet of its two inputs, whose records it counts: those of the left one positive.
func meet(t *testing.T, left, right engine.Dataset[engine.KV[string, int64]]) engine.Dataset[engine.KV[string, int64]] {
	t.Helper()
	out := engine.Union(left, right)
	ops := out.Job().Program()
	op := ops[len(ops)-1]
	op.Kind = plan.Meet
	op.Meet = func(t *exec.Task, left, right exec.Source, to any) error {
		n, err := rows(left)
		if err != nil {
			return err
		}
		m, err := rows(right)
		to.(func(engine.KV[string, int64]) bool)(engine.Pair(fmt.Sprint("partition ", t.Ordinal), 1000*n+m))
		return err
	}
	return out
}

func rows(src exec.Source) (n int64, err error) {
	for {
		rec, err := src.Next()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n += rec.NumRows()
		rec.Release()
	}
}

func TestMeetReadsBothExchanges(t *testing.T) {
	job := engine.NewJob("meet")
	same := func(a, _ int64) int64 { return a }
	keyed := func(n int64) engine.Dataset[engine.KV[string, int64]] {
		return engine.Reduce(engine.Map(engine.Range(job, 0, n), func(n int64) engine.KV[string, int64] { return engine.Pair(fmt.Sprint(n), n) }), same)
	}
	out := meet(t, keyed(500), keyed(300))
	got, err := local.CollectWith(context.Background(), out, local.Config{Partitions: 3})
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for p, kv := range got {
		if want := fmt.Sprint("partition ", p); kv.Key != want {
			t.Errorf("%v, want %s", kv, want)
		}
		if kv.Value/1000 <= kv.Value%1000 || kv.Value%1000 == 0 {
			t.Errorf("%s has %d records of the left one and %d of the right one", kv.Key, kv.Value/1000, kv.Value%1000)
		}
		sum += kv.Value
	}
	if len(got) != 3 || sum != 500_300 {
		t.Errorf("%v: %d records, want 500300", got, sum)
	}
}

// TestThinStageReadsASample sends a sample of a large file to those who read all of it.
func TestThinStageReadsASample(t *testing.T) {
	const lines = 3_600_000 // of 10 bytes: eight splits of 4.5 MB, of each of which 2 MiB are read
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out")
	var text []byte
	for i := range lines {
		text = fmt.Appendf(text, "%09d\n", i)
	}
	if err := os.WriteFile(in, text, 0o600); err != nil {
		t.Fatal(err)
	}
	job := engine.NewJob("sample")
	read := engine.Process(textio.Read(job, in), func(t *engine.Task, line string, emit func(string)) error {
		t.Add("lines", 1)
		emit(line)
		return nil
	})
	sample := engine.Repartition(read, 1)
	ops := job.Program()
	ops[len(ops)-1].Exchange.Thin = true
	first := engine.Filter(read, func(line string) bool { return line == "000000000" })
	textio.Write(engine.Broadcast(first, sample, func(_ string, sample []string) iter.Seq[string] { return slices.Values(sample) }), out)
	report, err := local.Run(context.Background(), job, local.Config{})
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join(out, "part-00000.txt"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(string(written))
	pieces := 1
	for i := 1; i < len(got); i++ {
		before, err := strconv.Atoi(got[i-1])
		if err != nil {
			t.Fatal(err)
		}
		switch next := fmt.Sprintf("%09d", before+1); {
		case got[i] < next:
			t.Fatalf("%s follows %s", got[i], got[i-1])
		case got[i] > next:
			pieces++
		}
	}
	const sampled = 8 * 8 * 256 << 10
	if thin := report.Stages[0]; len(got)*10 < sampled-640 || len(got)*10 > sampled+640 || thin.Tasks != 8 || thin.Metrics.BytesIn > sampled*11/10 || thin.ExpectedBytes != sampled {
		t.Errorf("%d lines are sampled by %+v", len(got), thin)
	}
	if pieces != 64 || report.Counters["lines"] != lines || report.InputBytes != 10*lines {
		t.Errorf("%d pieces, %v, %d bytes", pieces, report.Counters, report.InputBytes)
	}
}
