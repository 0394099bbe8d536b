package cluster

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestSameBytes has jobs write on the cluster what they write in one process.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	t.Run("wordcount", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		args := []string{plugin(t, "wordcount"), "--input", texts(t), "--output"}
		c.fletch(t, 0, append([]string{"run", "--quiet"}, append(args, dir+"/embedded")...)...)
		c.fletch(t, 0, append([]string{"submit", "--quiet"}, append(args, dir+"/cluster")...)...)
		same(t, dir+"/cluster", dir+"/embedded")
		text := string(parts(t, dir+"/cluster")["part-00000.csv"])
		if !strings.HasPrefix(text, "key,value\n") || !strings.Contains(text, "\nthe,369\n") {
			t.Errorf("counted:\n%s", text)
		}
	})
	t.Run("pipeline", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		writeWords(t, dir+"/words.txt")
		before := c.moved(t)
		args := []string{"--partitions", "6", plugin(t, "pipeline"), "--input", dir + "/words.txt", "--output"}
		c.fletch(t, 0, append([]string{"run", "--quiet"}, append(args, dir+"/embedded")...)...)
		id := c.detach(t, append(args, dir+"/cluster")...)
		c.fletch(t, 0, "job", "wait", "--quiet", id)
		same(t, dir+"/cluster", dir+"/embedded")
		same(t, dir+"/cluster-top", dir+"/embedded-top")

		for _, s := range c.job(t, id).Stages {
			if s.Tasks < 2 && !strings.Contains(s.Name, "TopN") || s.Attempts != s.Tasks || s.Completed != s.Tasks {
				t.Errorf("stage %d (%s): %d tasks, %d completed in %d attempts", s.ID, s.Name, s.Tasks, s.Completed, s.Attempts)
			}
		}
		if moved := c.moved(t) - before; moved < 1<<20 {
			t.Errorf("the workers sent each other %.0f bytes", moved)
		}
	})
	t.Run("sides", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		writeWords(t, dir+"/words.txt")
		args := []string{"--partitions", "5", plugin(t, "sides"), "--input", dir + "/words.txt", "--output"}
		c.fletch(t, 0, append([]string{"run", "--quiet"}, append(args, dir+"/embedded")...)...)
		id := c.detach(t, append(args, dir+"/cluster")...)
		c.fletch(t, 0, "job", "wait", "--quiet", id)
		for _, output := range []string{"", "-sorted", "-joined", "-found"} {
			same(t, dir+"/cluster"+output, dir+"/embedded"+output)
		}
		plan := c.fletch(t, 0, "job", "explain", id).stdout
		for _, want := range []string{"a sample of ", "read again", "shuffle by range to stage", "send to every task of stage", " meets ", "look up all of ", "skipped"} {
			if !strings.Contains(plan, want) {
				t.Errorf("the plan has no %q:\n%s", want, plan)
			}
		}
	})
}

// TestExamples has the examples write on the cluster what they write in one process.
func TestExamples(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	for name, args := range map[string][]string{
		"invertedindex": {"--input", example(t, "invertedindex/texts"), "--paths"},
		"join":          {"--customers", example(t, "join/data/customers.csv"), "--orders", example(t, "join/data/orders.csv")},
		"pagerank":      {"--input", example(t, "pagerank/links"), "--iterations", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.sameBytes(t, name, args...)
		})
	}
	t.Run("terasort", func(t *testing.T) {
		t.Parallel()
		records := c.sameBytes(t, "terasort", "gen", "--records", "60000") // enough for two tasks
		sorted := c.sameBytes(t, "terasort", "--input", records)
		report := c.sameBytes(t, "terasort", "validate", "--input", sorted)
		if text := string(parts(t, report)["part-00000.txt"]); !strings.HasPrefix(text, "records: 60000\n") {
			t.Errorf("the check reports\n%s", text)
		}
	})
}

// sameBytes runs a job on the cluster and in one process, wants the same of both, and returns an output of it.
func (c *cluster) sameBytes(t *testing.T, name string, args ...string) (output string) {
	t.Helper()
	dir := t.TempDir()
	args = slices.Concat([]string{"--quiet", "--partitions", "3", plugin(t, name)}, args, []string{"--output"})
	c.fletch(t, 0, append([]string{"run"}, append(args, dir+"/embedded")...)...)
	c.fletch(t, 0, append([]string{"submit"}, append(args, dir+"/cluster")...)...)
	outputs, err := filepath.Glob(dir + "/embedded*") // a job may have several
	must(t, err)
	for _, output := range outputs {
		same(t, dir+"/cluster"+strings.TrimPrefix(output, dir+"/embedded"), output)
	}
	return dir + "/cluster"
}

// writeWords writes 6 MB of words, about half of them distinct.
func writeWords(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	w, random := bufio.NewWriter(f), rand.New(rand.NewPCG(1, 2))
	for written := 0; written < 6<<20; {
		n, err := fmt.Fprintf(w, "%s %s\n", strconv.FormatUint(random.Uint64N(1<<19)*0x9e3779b97f4a7c15, 36), strconv.FormatUint(random.Uint64(), 36))
		must(t, err)
		written += n
	}
	must(t, w.Flush())
	must(t, f.Close())
}

// moved returns how many bytes of blocks the workers have sent each other.
func (c *cluster) moved(t *testing.T) (bytes float64) {
	t.Helper()
	for _, w := range c.Workers {
		bytes += metric(t, w, "fletch_worker_block_bytes_sent_total")
	}
	return bytes
}

// metric reads a metric of a worker.
func metric(t *testing.T, w process, name string) float64 {
	t.Helper()
	reply, err := alone.Get("http://" + w.Address + "/metrics")
	must(t, err)
	defer reply.Body.Close()
	lines := bufio.NewScanner(reply.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			must(t, err)
			return v
		}
	}
	t.Fatalf("worker %s has no metric %s (%v)", w.ID, name, lines.Err())
	return 0
}

// TestVersions has two versions of a job, of a module outside of the repository, run at once with a third job: each as it
// was when it was built.
func TestVersions(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	dir := t.TempDir()
	module := filepath.Join(dir, "traffic")
	c.fletch(t, 0, "init", module)
	submit := func(version string) (id string) {
		must(t, build(module, dir+"/"+version+".so"))
		return c.detach(t, dir+"/"+version+".so", "--input", module+"/data", "--output", dir+"/"+version)
	}
	first := submit("first")
	text, err := os.ReadFile(module + "/main.go")
	must(t, err)
	changed := strings.Replace(string(text), "Requests: a.Requests + b.Requests", "Requests: -1", 1)
	if changed == string(text) {
		t.Fatal("the job has not the line that the test changes")
	}
	must(t, os.WriteFile(module+"/main.go", []byte(changed), 0o600))
	second := submit("second")
	third := c.detach(t, plugin(t, "wordcount"), "--input", texts(t), "--output", dir+"/third")
	for _, id := range []string{first, second, third} {
		c.fletch(t, 0, "job", "wait", "--quiet", id)
	}
	for version, want := range map[string]string{"first": "\n/authors,5,1,907ms\n", "second": "\n/authors,-1,1,907ms\n", "third": "\nthe,369\n"} {
		if text := string(parts(t, dir+"/"+version)["part-00000.csv"]); !strings.Contains(text, want) {
			t.Errorf("%s: no %q in\n%s", version, want, text)
		}
	}
}
