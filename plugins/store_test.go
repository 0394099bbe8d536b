package plugins

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"fletch/fault"
)

// content is what stands for a plugin; large enough for several writes.
var content = bytes.Repeat([]byte("plugin "), 20_000)

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func newStore(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := NewStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "plugins")
	s := newStore(t, dir)
	sum := sumOf(content)
	if path, ok := s.Path(sum); ok {
		t.Fatalf("an empty store has %s", path)
	}
	if err := s.Put(t.Context(), sum, int64(len(content)), bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{s, newStore(t, dir)} { // it is there after a restart, too
		path, ok := s.Path(sum)
		if !ok {
			t.Fatal("the store does not have what was put")
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("the store has other bytes (%v)", err)
		}
		// A reader that fails is not read.
		if err := s.Put(t.Context(), sum, int64(len(content)), iotest.ErrReader(errors.New("read"))); err != nil {
			t.Errorf("what the store has is read again: %v", err)
		}
	}
}

func TestStoreRefuses(t *testing.T) {
	sum, size := sumOf(content), int64(len(content))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("the connection broke")
	tests := []struct {
		name  string
		ctx   context.Context
		sum   string
		size  int64
		r     io.Reader
		want  string
		class fault.Class
	}{
		{"other bytes", nil, sumOf([]byte("x")), size, bytes.NewReader(content), "its SHA-256 is " + sum, fault.Retryable},
		{"too few bytes", nil, sum, size + 1, bytes.NewReader(content), "it has 140000 bytes of 140001", fault.Retryable},
		{"too many bytes", nil, sum, size - 1, io.MultiReader(bytes.NewReader(content), iotest.ErrReader(errors.New("it was read on"))), "more than the 139999 bytes", fault.Retryable},
		{"a broken connection", nil, sum, size, io.MultiReader(bytes.NewReader(content[:70_000]), iotest.ErrReader(broken)), "the connection broke", fault.Retryable},
		{"cancelled", cancelled, sum, size, bytes.NewReader(content), "context canceled", fault.Cancelled},
		{"too large", nil, sum, MaxBytes + 1, bytes.NewReader(content), "more than a plugin may have", fault.Permanent},
		{"negative", nil, sum, -1, bytes.NewReader(content), "more than a plugin may have", fault.Permanent},
		{"a path", nil, "../" + sum[3:], size, bytes.NewReader(content), "is no SHA-256", fault.Permanent},
		{"upper case", nil, strings.ToUpper(sum), size, bytes.NewReader(content), "is no SHA-256", fault.Permanent},
		{"no name", nil, "", size, bytes.NewReader(content), "is no SHA-256", fault.Permanent},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			s := newStore(t, dir)
			ctx := test.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			err := s.Put(ctx, test.sum, test.size, test.r)
			if err == nil || !strings.Contains(err.Error(), test.want) || fault.ClassOf(err) != test.class {
				t.Errorf("error %v (%v), want %q (%v)", err, fault.ClassOf(err), test.want, test.class)
			}
			if names := namesIn(t, dir); len(names) > 0 {
				t.Errorf("left behind: %v", names)
			}
			if path, ok := s.Path(test.sum); ok {
				t.Errorf("the store has %s", path)
			}
		})
	}
}

// TestStoreAtOnce puts one plugin several times at once.
func TestStoreAtOnce(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir)
	sum := sumOf(content)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			// It comes byte by byte in part, so that the copies overlap.
			r := io.MultiReader(iotest.OneByteReader(bytes.NewReader(content[:1000])), bytes.NewReader(content[1000:]))
			if err := s.Put(t.Context(), sum, int64(len(content)), r); err != nil {
				t.Error(err)
			}
			if path, ok := s.Path(sum); !ok {
				t.Error("the store does not have what was put")
			} else if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
				t.Errorf("the store has other bytes (%v)", err)
			}
		})
	}
	wg.Wait()
	if names := namesIn(t, dir); len(names) != 1 || names[0] != sum {
		t.Errorf("the directory has %v", names)
	}
}

func TestStoreSweeps(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, ".put-123")
	foreign := filepath.Join(dir, "README")
	for _, path := range []string{left, foreign} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := newStore(t, dir)
	if err := s.Collect(func(string) bool { return false }, 0); err != nil {
		t.Fatal(err)
	}
	if names := namesIn(t, dir); len(names) != 1 || names[0] != "README" {
		t.Errorf("the directory has %v, want README alone", names)
	}
}

func TestCollect(t *testing.T) {
	const grace = time.Hour
	dir := t.TempDir()
	s := newStore(t, dir)
	var sums []string
	for _, text := range []string{"needed", "asked for", "old", "new"} {
		sum := sumOf([]byte(text))
		if err := s.Put(t.Context(), sum, int64(len(text)), strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		sums = append(sums, sum)
	}
	past := time.Now().Add(-2 * grace)
	for _, sum := range sums[:3] {
		if err := os.Chtimes(filepath.Join(dir, sum), past, past); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := s.Path(sums[1]); !ok {
		t.Fatal("the store lost a plugin")
	}
	needed := func(sum string) bool { return sum == sums[0] }
	if err := s.Collect(needed, grace); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, false, true} {
		if _, ok := s.Path(sums[i]); ok != want {
			t.Errorf("plugin %d: kept %t, want %t", i, ok, want)
		}
	}
	if err := s.Collect(needed, 0); err != nil {
		t.Fatal(err)
	}
	if names := namesIn(t, dir); len(names) != 1 || names[0] != sums[0] {
		t.Errorf("the directory has %v, want what is needed alone", names)
	}
}
