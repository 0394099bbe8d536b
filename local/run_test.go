package local_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"fletch/engine"
	"fletch/fault"
	"fletch/format/csvio"
	"fletch/format/jsonio"
	"fletch/format/textio"
	"fletch/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// files returns the contents of all files below dir, by their relative names.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		out[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func names(files map[string]string) (out []string) {
	for name := range files {
		out = append(out, name)
	}
	return out
}

// parts drops the manifest, which holds the job's identity.
func parts(files map[string]string) map[string]string {
	out := map[string]string{}
	for name, content := range files {
		if filepath.Base(name) != "_SUCCESS" {
			out[name] = content
		}
	}
	return out
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// text is lines of words of every length, most of which are rare.
func text(lines int) string {
	var b strings.Builder
	for i := range lines {
		for j := range 10 {
			n := i*7919 + j*104729
			fmt.Fprintf(&b, "%s%d ", strings.Repeat("w", n%23), n%1000003)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// twoSinks counts words, and counts the counts, from one reading of the text.
func twoSinks(input, output string) *engine.Job {
	job := engine.NewJob("two sinks")
	counts := engine.Count(engine.FlatMap(textio.Read(job, input), strings.FieldsSeq))
	csvio.Write(counts, filepath.Join(output, "words"))
	jsonio.Write(engine.Count(engine.Map(counts, func(kv engine.KV[string, int64]) int64 { return kv.Value })), filepath.Join(output, "counts"))
	return job
}

// TestSameBytes runs one job under configurations that change what runs when and what is spilled.
func TestSameBytes(t *testing.T) {
	in := t.TempDir()
	for i := range 5 {
		write(t, filepath.Join(in, fmt.Sprint("text", i)), text(6000*(i+1)))
	}
	var first map[string]string
	for i, c := range []local.Config{
		{Parallelism: 1, Partitions: 7},
		{Parallelism: 8, Partitions: 7},
		{Parallelism: 3, Partitions: 7, MemoryBytes: 64 << 20},
	} {
		c.TempDir = t.TempDir()
		out := t.TempDir()
		result, err := local.Run(context.Background(), twoSinks(in, out), c)
		if err != nil {
			t.Fatal(err)
		}
		got := parts(files(t, out))
		if i == 0 {
			first = got
			if len(got) != 14 {
				t.Fatalf("%d parts, want 14: %v", len(got), names(got))
			}
		}
		for name, content := range first {
			if got[name] != content {
				t.Errorf("configuration %d: %s differs", i, name)
			}
		}
		if rows := result.Stages[0].Metrics.RowsIn; rows != 90000 {
			t.Errorf("configuration %d: %d rows read, want 90000", i, rows)
		}
		if spilled := result.Stages[0].Metrics.SpilledBytes > 0; spilled != (c.MemoryBytes > 0) {
			t.Errorf("configuration %d: spilled is %v", i, spilled)
		}
		if left := files(t, c.TempDir); len(left) > 0 {
			t.Errorf("configuration %d leaves %v in the temporary directory", i, names(left))
		}
	}
}

// TestNothingIsLeft ends jobs in ways other than success and looks for what they leave.
func TestNothingIsLeft(t *testing.T) {
	in := t.TempDir()
	write(t, filepath.Join(in, "a"), text(5000))
	fail := func(n int, f func() error) func(*engine.Task, string, func(string)) error {
		return func(_ *engine.Task, line string, emit func(string)) error {
			emit(line)
			if n--; n == 0 {
				return f()
			}
			return nil
		}
	}
	for _, c := range []struct {
		name  string
		f     func(cancel func()) error
		class fault.Class
	}{
		{"error", func(func()) error { return errors.New("no") }, fault.User},
		{"panic", func(func()) error { panic("no") }, fault.User},
		{"cancel", func(cancel func()) error { cancel(); return nil }, fault.Cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			out, temp := t.TempDir(), t.TempDir()
			job := engine.NewJob("fails")
			lines := engine.Process(textio.Read(job, in), fail(3000, func() error { return c.f(cancel) }))
			textio.Write(lines, filepath.Join(out, "lines"))
			csvio.Write(engine.Count(lines), filepath.Join(out, "counts"))
			_, err := local.Run(ctx, job, local.Config{TempDir: temp})
			if err == nil || fault.ClassOf(err) != c.class {
				t.Errorf("error %v of class %v, want class %v", err, fault.ClassOf(err), c.class)
			}
			if left := files(t, out); len(left) > 0 {
				t.Errorf("beside the output: %v", names(left))
			}
			if left := files(t, temp); len(left) > 0 {
				t.Errorf("in the temporary directory: %v", names(left))
			}
		})
	}
}

func TestOutputExists(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	write(t, filepath.Join(in, "a"), "x\n")
	write(t, filepath.Join(out, "precious"), "data")
	job := engine.NewJob("exists")
	textio.Write(textio.Read(job, in), out)
	_, err := local.Run(context.Background(), job, local.Config{})
	if err == nil || !strings.Contains(err.Error(), out) || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("error %v, want one that says that %s already exists", err, out)
	}
	if got := files(t, out); len(got) != 1 || got["precious"] != "data" {
		t.Errorf("the directory holds %v", names(got))
	}
}

// TestStuckFunction cancels a job whose function does not return: Run comes back all the same, and names it.
func TestStuckFunction(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	release, reason := make(chan struct{}), errors.New("enough")
	job := engine.NewJob("stuck")
	out := t.TempDir()
	textio.Write(engine.Map(engine.Range(job, 0, 1), func(int64) string {
		cancel(reason)
		<-release
		return ""
	}), filepath.Join(out, "o"))
	_, err := local.Run(ctx, job, local.Config{})
	if err == nil || fault.ClassOf(err) != fault.Cancelled || !strings.Contains(err.Error(), "enough") {
		t.Errorf("error %v, want the reason of the cancellation", err)
	}
	if left := files(t, out); len(left) > 0 {
		t.Errorf("beside the output: %v", names(left))
	}
	close(release)
}

func TestEmptyInputGivesOnePart(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	write(t, filepath.Join(in, "empty"), "")
	if _, err := local.Run(context.Background(), twoSinks(in, out), local.Config{}); err != nil {
		t.Fatal(err)
	}
	got := parts(files(t, out))
	want := map[string]string{"words/part-00000.csv": "key,value\n", "counts/part-00000.jsonl": ""}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFromEnv(t *testing.T) {
	vars := map[string]string{"FLETCH_PARALLELISM": "3", "FLETCH_MEMORY": "1.5GiB", "FLETCH_MAX_LINE": "64k", "FLETCH_QUIET": "1", "FLETCH_TMP": "x"}
	c, err := local.FromEnv(func(name string) string { return vars[name] })
	if err != nil {
		t.Fatal(err)
	}
	if c.Parallelism != 3 || c.MemoryBytes != 3<<29 || c.MaxLineBytes != 64<<10 || !c.Quiet || c.TempDir != "x" || c.JSON {
		t.Errorf("got %+v", c)
	}
	for name, value := range map[string]string{
		"FLETCH_PARALLELISM": "0", "FLETCH_PARTITIONS": "65537", "FLETCH_MEMORY": "-1GB", "FLETCH_MAX_LINE": "NaN", "FLETCH_JSON": "perhaps",
	} {
		_, err := local.FromEnv(func(n string) string {
			if n == name {
				return value
			}
			return ""
		})
		if err == nil || !strings.Contains(err.Error(), name+"="+value) {
			t.Errorf("%s=%s: error %v, want one that names it", name, value, err)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	job := engine.NewJob("config")
	_, err := local.CollectWith(context.Background(), engine.Range(job, 0, 1), local.Config{Parallelism: -1, MemoryBytes: 1})
	if err == nil || !strings.Contains(err.Error(), "parallelism -1") || !strings.Contains(err.Error(), "at least 64 MiB") {
		t.Errorf("error %v, want both mistakes", err)
	}
}
