package chunks

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// numbers is a file whose chunks are lines of their numbers, n times over in chunk n.
func numbers(chunks int64) File {
	return File{Name: "numbers.txt", Chunks: chunks, Fill: func(b []byte, n int64) []byte {
		return append(b[:0], strings.Repeat(strconv.FormatInt(n, 10)+"\n", int(n)+1)...)
	}}
}

func TestChunksStandInOrderWhateverTheCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for cores := 1; cores <= 4; cores++ {
		runtime.GOMAXPROCS(cores)
		for chunks, want := range []string{"", "0\n", "0\n1\n1\n", "0\n1\n1\n2\n2\n2\n"} {
			var b bytes.Buffer
			if err := numbers(int64(chunks)).Write(&b); err != nil || b.String() != want {
				t.Errorf("%d chunks on %d cores: %q, %v", chunks, cores, b.String(), err)
			}
		}
	}
}

func TestAFileIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	path, err := numbers(3).Make(dir)
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := numbers(3).Make(dir); err != nil || again != path {
		t.Fatalf("second call: %s, %v", again, err)
	}
	if second, err := os.Stat(path); err != nil || !os.SameFile(first, second) {
		t.Errorf("the file was made again: %v", err)
	}
	if files, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(files) > 0 {
		t.Errorf("temporary files are left: %v %v", files, err)
	}
}

func TestAFileThatIsNotWholeIsMadeAgain(t *testing.T) {
	const want = "0\n1\n1\n2\n2\n2\n"
	for _, held := range []string{"", "0\n1\n1\n", "0\n1\n1\n2\n2\n2", "x\n1\n1\n2\n2\n2\n", want + "3\n"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "numbers.txt"), []byte(held), 0o600); err != nil {
			t.Fatal(err)
		}
		path, err := numbers(3).Make(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%q became %q, %v", held, got, err)
		}
	}
}
