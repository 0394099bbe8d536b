package worker

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"fletch/fault"
	"fletch/plugins"
)

func TestAttemptSucceeds(t *testing.T) {
	b := newBench(t, nil)
	s := b.master.session()
	s.job("words", b.plugin, "ok", "ok", "fail no such word")
	s.start("words", "words_0", 0)
	e := s.end("words_0")
	succeeded(t, e)
	if n := e.GetResult().GetMetrics().GetRowsOut(); n != 7 {
		t.Errorf("the result arrived with %d rows", n)
	}
	s.start("words", "words_1", 1)
	want(t, s.end("words_1"), fault.User, "no such word")
	if b.master.fetches != 1 {
		t.Errorf("the plugin was fetched %d times", b.master.fetches)
	}
	s.start("verbs", "verbs_0", 0)
	want(t, s.end("verbs_0"), fault.Retryable, "not told of the job")
}

// TestJobDoesNotLoad has jobs fail before their first attempt, each in its way. Another job goes on.
func TestJobDoesNotLoad(t *testing.T) {
	tests := []struct {
		name   string
		load   string
		change func(*Config)
		plugin string
		class  fault.Class
		words  []string
	}{
		{name: "error", load: "fail the graphs differ", class: fault.User, words: []string{"load the job: the graphs differ"}},
		{name: "exit", load: "exit 3", class: fault.User, words: []string{"while it loaded the job", "exited with code 3"}},
		{name: "panic", load: "panic in init", class: fault.User, words: []string{"while it loaded the job", "panic: in init"}},
		{name: "hang", load: "hang", class: fault.User, words: []string{"was not loaded within 300ms"},
			change: func(c *Config) { c.waits.load = 300 * time.Millisecond }},
		{name: "killed", load: "kill 9", class: fault.Retryable, words: []string{"ended from outside, by signal 9"}},
		{name: "mismatch", load: "ok", class: fault.Permanent, words: []string{"can't open the job's plugin: built otherwise"},
			change: func(c *Config) {
				c.check = func(string, string, bool) error { return fault.As(fault.Permanent, errors.New("built otherwise")) }
			}},
		{name: "missing", load: "ok", plugin: fmt.Sprintf("%064d", 1), class: fault.Permanent, words: []string{"fetch plugin 000000000000", "there is no plugin"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, test.change)
			s := b.master.session()
			plugin := b.plugin
			if test.plugin != "" {
				plugin = test.plugin
			}
			s.job("bad", plugin, test.load, "ok", "ok")
			s.start("bad", "bad_0", 0)
			s.start("bad", "bad_1", 1)
			for _, e := range s.ends("bad_0", "bad_1") {
				want(t, e, test.class, test.words...)
			}
			if test.name == "mismatch" {
				return
			}
			s.job("good", b.plugin, "ok", "ok")
			s.start("good", "good_0", 0)
			succeeded(t, s.end("good_0"))
		})
	}
}

// TestDamagedPlugin fetches a plugin again whose file is damaged.
func TestDamagedPlugin(t *testing.T) {
	damaged := true
	b := newBench(t, func(c *Config) {
		c.check = func(path, _ string, _ bool) error {
			if damaged {
				damaged = false
				return fmt.Errorf("%s: %w", path, plugins.ErrDamaged)
			}
			return nil
		}
	})
	s := b.master.session()
	s.job("words", b.plugin, "ok", "ok")
	s.start("words", "words_0", 0)
	if e := s.end("words_0"); e.Error != nil {
		want(t, e, fault.Retryable, "can't open the job's plugin", "damaged")
		s.start("words", "words_1", 0)
		succeeded(t, s.end("words_1"))
	}
	if b.master.fetches != 2 {
		t.Errorf("fetched %d times", b.master.fetches)
	}
}

// TestExecutorDies has an attempt end its executor. What ran beside it ends, too, and the next attempt gets a new one.
func TestExecutorDies(t *testing.T) {
	tests := []struct {
		script string
		class  fault.Class
		words  []string
	}{
		{"exit 3", fault.User, []string{"it exited with code 3", "does the job call os.Exit"}},
		{"exit 0", fault.User, []string{"it exited with code 0"}},
		{"panic at the disco", fault.User, []string{"panic: at the disco"}},
		{"kill 9", fault.Retryable, []string{"ended from outside, by signal 9 (killed)"}},
		{"kill 15", fault.Retryable, []string{"ended from outside, by signal 15 (terminated)"}},
	}
	for _, test := range tests {
		t.Run(test.script, func(t *testing.T) {
			b := newBench(t, nil)
			s := b.master.session()
			s.job("words", b.plugin, "ok", "wait", test.script, "ok")
			s.start("words", "words_0", 0)
			s.start("words", "words_1", 1)
			for _, e := range s.ends("words_0", "words_1") {
				want(t, e, test.class, append(test.words, "while it ran", "words_1", "Read at main.go:7, Map at main.go:8")...)
			}
			s.start("words", "words_2", 2)
			succeeded(t, s.end("words_2"))
			b.logged("words", test.words[0])
		})
	}
}

// TestStop stops attempts that obey, that don't, and that nobody knows.
func TestStop(t *testing.T) {
	b := newBench(t, func(c *Config) { c.waits.stop, c.waits.dump = 300*time.Millisecond, 10*time.Second })
	s := b.master.session()
	s.job("words", b.plugin, "ok", "wait", "hang", "work", "ok")
	for i := range int32(3) {
		s.start("words", fmt.Sprintf("words_%d", i), i)
	}
	s.running("words_0", "words_1", "words_2")
	s.stop("words_0", "another was faster")
	want(t, s.end("words_0"), fault.Cancelled, "was told to stop")
	s.stop("words_9", "another was faster")
	want(t, s.end("words_9"), fault.Cancelled, "does not run on this worker")
	s.stop("words_1", "another was faster")
	ends := s.ends("words_1", "words_2")
	want(t, ends["words_1"], fault.Cancelled, "stopped: another was faster")
	want(t, ends["words_2"], fault.Retryable, "its attempt words_1 did not stop: another was faster")
	s.start("words", "words_3", 3)
	succeeded(t, s.end("words_3"))
	s.stop("words_3", "too late")
	s.start("words", "words_4", 0)
	s.stop("words_4", "changed my mind")
	want(t, s.end("words_4"), fault.Cancelled)
}

// TestStuck has an attempt finish no record. It is stopped, and its executor killed if it does not obey.
func TestStuck(t *testing.T) {
	for _, script := range []string{"wait", "hang"} {
		t.Run(script, func(t *testing.T) {
			b := newBench(t, func(c *Config) {
				c.StuckAfter, c.waits.stop, c.waits.dump = 500*time.Millisecond, 300*time.Millisecond, 10*time.Second
			})
			s := b.master.session()
			s.job("words", b.plugin, "ok", script, "work")
			s.start("words", "words_1", 1)
			s.start("words", "words_0", 0)
			want(t, s.end("words_0"), fault.User, "no record was finished for 500ms: does the function ever return?", "Map at main.go:8")
			if script == "wait" {
				s.stop("words_1", "enough")
				want(t, s.end("words_1"), fault.Cancelled)
				return
			}
			want(t, s.end("words_1"), fault.Retryable, "its attempt words_0 did not stop")
		})
	}
}

// TestEndJob lets go of a job with all that belongs to it, while it is busy.
func TestEndJob(t *testing.T) {
	b := newBench(t, nil)
	s := b.master.session()
	s.job("words", b.plugin, "ok", "memory text", "file text", "child", "hang")
	s.start("words", "words_0", 0)
	s.start("words", "words_1", 1)
	s.ends("words_0", "words_1")
	s.start("words", "words_2", 2)
	s.start("words", "words_3", 3)
	var sleeper, executor int
	if _, err := fmt.Sscanf(b.logged("words", "child").Text, "child %d of %d", &sleeper, &executor); err != nil {
		t.Fatal(err)
	}
	s.endJob("words")
	for _, e := range s.ends("words_2", "words_3") {
		want(t, e, fault.Cancelled, "the job has ended")
	}
	for _, pid := range []int{executor, sleeper} {
		eventually(t, "the job's processes end", func() bool { return !alive(pid) }, func() string { return fmt.Sprint(pid) })
	}
	eventually(t, "the job's files are deleted", func() bool { return len(workFiles(t, b)) == 1 }, func() string { return fmt.Sprint(workFiles(t, b)) })
	if bytes, files := b.worker.outputs.used(); bytes != 0 || files != 0 {
		t.Errorf("%d bytes in %d files are counted", bytes, files)
	}
	if status, _ := b.get("/v1/jobs/words/shuffle/1/0-1?attempts=words_0&offset=0"); status == 200 {
		t.Error("an output of a job that has ended is served")
	}
	// The same job may begin again.
	s.job("words", b.plugin, "ok", "ok")
	s.start("words", "words_4", 0)
	succeeded(t, s.end("words_4"))
}

// BenchmarkNewJob measures from the order of a new job's first attempt to its end, with a plugin that is here, a spare
// executor, and a job that does nothing.
func BenchmarkNewJob(b *testing.B) {
	bench := newBench(b, nil)
	s := bench.master.session()
	for i := range b.N + 1 {
		if i == 1 {
			b.ResetTimer()
		}
		id := fmt.Sprintf("job-%d", i)
		s.job(id, bench.plugin, "ok", "ok")
		s.start(id, id+"_0", 0)
		succeeded(b, s.end(id+"_0"))
		b.StopTimer()
		s.endJob(id)
		eventually(b, "there is a spare alone", func() bool { return len(workFiles(b, bench)) == 1 && len(children(b)) == 1 },
			func() string { return fmt.Sprint(workFiles(b, bench)) })
		time.Sleep(50 * time.Millisecond) // the spare gets ready
		b.StartTimer()
	}
}
