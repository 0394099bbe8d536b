package worker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fletch/api"
	"fletch/fault"
)

// TestOutputs keeps outputs in memory and in files, hands them to executors, and drops them.
func TestOutputs(t *testing.T) {
	b := newBench(t, nil)
	s := b.master.session()
	s.job("words", b.plugin, "ok", "memory in memory", "file in a file", "exit 3", "open words_0", "open words_1", "open words_9", "litter")
	for i, name := range []string{"words_0", "words_1"} {
		s.start("words", name, int32(i))
		succeeded(t, s.end(name))
	}
	if bytes, files := b.worker.outputs.used(); bytes != int64(len("in memory")) || files != 1 {
		t.Errorf("%d bytes in %d files are counted", bytes, files)
	}
	s.start("words", "words_7", 6)
	succeeded(t, s.end("words_7"))
	// The executor dies; what is committed stays, what is not is swept, and the next executor gets it.
	s.start("words", "words_2", 2)
	want(t, s.end("words_2"), fault.User)
	s.start("words", "words_3", 3)
	succeeded(t, s.end("words_3"))
	b.logged("words", `opened "in memory"`)
	if files, err := filepath.Glob(filepath.Join(b.worker.dir.work(), "words.*", "*")); err != nil || len(files) != 1 {
		t.Errorf("%v, %v: want the one output", files, err)
	}
	s.start("words", "words_4", 4)
	succeeded(t, s.end("words_4"))
	b.logged("words", `opened "in a file"`)
	s.start("words", "words_5", 5)
	want(t, s.end("words_5"), fault.User, "not found")
	s.send(&api.MasterMessage{Message: &api.MasterMessage_Done{Done: &api.Done{Dropped: []string{"words_0", "words_1", "words_9"}}}})
	eventually(t, "the outputs are dropped", func() bool {
		bytes, files := b.worker.outputs.used()
		left, err := filepath.Glob(filepath.Join(b.worker.dir.work(), "words.*", "*"))
		return bytes == 0 && files == 0 && err == nil && len(left) == 0
	}, func() string { return "" })
	for _, name := range openFiles(t) {
		if strings.Contains(name, "memfd:") {
			t.Errorf("%s is open still", name)
		}
	}
	s.start("words", "words_6", 3)
	want(t, s.end("words_6"), fault.User, "not found")
}

func TestReserve(t *testing.T) {
	o, err := newOutputs(100)
	if err != nil {
		t.Fatal(err)
	}
	o.files = 3
	j := o.newJob("words", t.TempDir())
	granted := func(attempt string, bytes int64) *os.File {
		f, err := j.reserve(attempt, bytes)
		if err != nil {
			t.Fatal(err)
		}
		if f != nil {
			t.Cleanup(func() { f.Close() })
		}
		return f
	}
	a := granted("a", 60)
	if a == nil || granted("b", 41) != nil || granted("b", -1) != nil {
		t.Error("the budget of 100 bytes is not kept")
	}
	b := granted("b", 40)
	if b == nil || granted("c", 1) != nil {
		t.Error("the budget of 100 bytes is not kept")
	}
	if _, err := b.WriteString("half of it"); err != nil {
		t.Error(err)
	}
	if _, err := j.reserve("a", 0); err == nil {
		t.Error("one attempt has reserved twice")
	}
	if granted("c", 0) == nil || granted("d", 0) != nil {
		t.Error("the limit of 3 descriptors is not kept")
	}
	if err := j.release("b"); err != nil {
		t.Error(err)
	}
	if granted("e", 40) == nil {
		t.Error("what was released is not there")
	}
	if _, err := a.WriteString(strings.Repeat("x", 60)); err != nil {
		t.Error(err)
	}
	if err := j.commit("a"); err != nil {
		t.Error(err)
	}
	if err := j.commit("e"); err == nil {
		t.Error("an attempt that has written nothing was committed")
	}
	if err := j.end(); err != nil {
		t.Error(err)
	}
	for _, f := range []*os.File{a, b} {
		if info, err := f.Stat(); err != nil || info.Size() != 0 {
			t.Errorf("%s, %v: the memory is not freed", f.Name(), err)
		}
	}
	if o.mu.bytes != 0 || o.mu.files != 0 {
		t.Errorf("%d bytes in %d files are left", o.mu.bytes, o.mu.files)
	}
	if _, err := j.reserve("f", 1); err == nil {
		t.Error("memory was reserved after the end")
	}
	if err := j.commit("f"); err == nil {
		t.Error("an attempt was committed after the end")
	}
}
