package textio

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fletch/engine"
	"fletch/engine/exec"
	"fletch/engine/plan"
	"fletch/format/internal/input"
	"fletch/format/internal/input/inputtest"
	"fletch/storage/storagetest"
)

// Both formats of lines, through the operators that a job is made of.
func TestReadAndWrite(t *testing.T) {
	dir := t.TempDir()
	text := sample()
	var files []plan.FileRange
	for name, content := range map[string][]byte{"a.txt": text, "b.gz": storagetest.Zip(t, ".gz", text), "c.txt": nil} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		files = append(files, plan.FileRange{Path: path, Length: int64(len(content)), Size: int64(len(content))})
	}
	job := engine.NewJob("copy")
	Write(Read(job, dir), filepath.Join(dir, "out"))
	graph, err := job.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if n := graph.Nodes; len(n) != 2 || n[0].Op != "textio.Read" || n[1].Op != "textio.Write" || n[1].Sink.Suffix != ".txt" {
		t.Errorf("graph %+v", n)
	}
	var out bytes.Buffer
	err = inputtest.InTask(t, func(task *exec.Task) error {
		r, err := job.Program()[0].Open(task, plan.Split{Files: files})
		if err != nil {
			return err
		}
		defer r.Close()
		w, err := job.Program()[1].Encode(task, &out)
		if err != nil {
			return err
		}
		for {
			rec, err := r.Next()
			if err == io.EOF {
				return w.Close()
			}
			if err != nil {
				return err
			}
			if err := w.Write(rec); err != nil {
				return err
			}
			rec.Release()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := bytes.Repeat(text, 2); !bytes.Equal(out.Bytes(), want) {
		t.Errorf("copied %d bytes, want %d", out.Len(), len(want))
	}
}

// A reader that is closed while it reads ahead lets the read finish before it closes the file.
func TestCloseWhileReading(t *testing.T) {
	stop := errors.New("stop")
	err := inputtest.InTask(t, func(task *exec.Task) error {
		for _, name := range []string{"ahead", "ahead.zst"} {
			content := sample()
			if filepath.Ext(name) != "" {
				content = storagetest.Zip(t, ".zst", content)
			}
			r := newReader(task.Context, []plan.FileRange{storagetest.Put(name, content)}, 1<<20, inputtest.Ample(), input.Beside[block](task.Coroutine))
			rec, err := r.Next()
			if err != nil {
				return err
			}
			rec.Release()
			if err := r.Close(); err != nil {
				return err
			}
		}
		r := newReader(task.Context, []plan.FileRange{storagetest.Put("cancelled", sample())}, 1<<20, inputtest.Ample(), input.Beside[block](task.Coroutine))
		task.Coroutine.Cancel(stop)
		for {
			rec, err := r.Next()
			if err == io.EOF { // each read was complete before it was awaited, which counts for more than the cause
				return errors.Join(stop, r.Close())
			}
			if err != nil {
				return errors.Join(err, r.Close())
			}
			rec.Release()
		}
	})
	if !errors.Is(err, stop) {
		t.Errorf("ended with %v", err)
	}
}

func TestReadOfNothing(t *testing.T) {
	job := engine.NewJob("nothing")
	Write(Read(job), "out")
	if err := job.Err(); err == nil || !strings.Contains(err.Error(), "textio.Read") {
		t.Errorf("error %v", err)
	}
}
