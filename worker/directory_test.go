package worker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	open := func(id, cluster string) (identity, error) {
		d, err := openDirectory(dir, id, cluster)
		if err != nil {
			return identity{}, err
		}
		if err := os.WriteFile(filepath.Join(d.work(), "orphan"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openDirectory(dir, "", ""); err == nil || !strings.Contains(err.Error(), "another worker uses") {
			t.Errorf("a locked directory: %v", err)
		}
		return d.identity, d.close()
	}
	first, err := open("", "")
	if err != nil || first.ID == "" || first.Cluster != "" || first.Format != 1 {
		t.Fatalf("a new directory: %+v, %v", first, err)
	}
	second, err := open("", "mine")
	if err != nil || second.ID != first.ID || second.Cluster != "mine" {
		t.Errorf("opened again: %+v, %v", second, err)
	}
	if _, err := open("", "other"); err == nil || !strings.Contains(err.Error(), "belongs to cluster mine, not to other") {
		t.Errorf("another cluster: %v", err)
	}
	if _, err := open("other", ""); err == nil || !strings.Contains(err.Error(), "not other's") {
		t.Errorf("another worker: %v", err)
	}
	if last, err := open(first.ID, "mine"); err != nil || last != second {
		t.Errorf("opened again: %+v, %v", last, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "work")); err == nil {
		t.Error("intermediate data is left")
	}
}

// TestDirectorySweeps removes what a worker has left that was killed.
func TestDirectorySweeps(t *testing.T) {
	dir := t.TempDir()
	d, err := openDirectory(dir, "", "")
	if err != nil {
		t.Fatal(err)
	}
	orphan := filepath.Join(d.work(), "words.7", "words_0.shuffle")
	if err := os.MkdirAll(filepath.Dir(orphan), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(orphan, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.lock.Close(); err != nil { // as the kernel does it
		t.Fatal(err)
	}
	if d, err = openDirectory(dir, "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(orphan); err == nil {
		t.Error("the orphan is left")
	}
	if err := d.close(); err != nil {
		t.Error(err)
	}
}

// TestForeignDirectory refuses what is no worker's directory, and touches nothing in it.
func TestForeignDirectory(t *testing.T) {
	tests := []struct{ name, file, content, want string }{
		{"newer version", "worker.json", `{"format":2,"id":"w","cluster":"c"}`, "has format 2, and this version of fletch reads format 1"},
		{"damaged", "worker.json", `{"format":`, "damaged"},
		{"without an id", "worker.json", `{"format":1}`, "is damaged"},
		{"somebody's files", "thesis.txt", "", "holds thesis.txt but no worker.json"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			precious := filepath.Join(dir, "work", "precious")
			if err := os.MkdirAll(filepath.Dir(precious), 0o700); err != nil {
				t.Fatal(err)
			}
			for file, content := range map[string]string{precious: "", filepath.Join(dir, test.file): test.content} {
				if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := openDirectory(dir, "", ""); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if _, err := os.Stat(precious); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	_, err := New(Config{ID: "a/b", MemoryBytes: 1, Slots: -1, StuckAfter: -1})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, word := range []string{"data directory is missing", "masters are missing", `worker id "a/b"`, "-1 slots", "memory of 1 bytes", "-1ns"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%v\nlacks %q", err, word)
		}
	}
	good := Config{Dir: t.TempDir(), Masters: []string{"127.0.0.1:1"}}
	for listen, word := range map[string]string{
		"0.0.0.0:0": "--insecure", "127.0.0.1:1x": "127.0.0.1:1x",
	} {
		bad := good
		bad.Listen = listen
		if _, err := New(bad); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("listen on %s: %v", listen, err)
		}
	}
	good.Insecure, good.Listen = true, "0.0.0.0:0"
	if _, err := New(good); err == nil || !strings.Contains(err.Error(), "--advertise") {
		t.Errorf("an address that nobody can reach: %v", err)
	}
}
