package flock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Take(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*poll)
	defer cancel()
	if _, err := Take(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a lock was taken twice: %v", err)
	}
	second := make(chan *os.File, 1)
	go func() {
		f, err := Take(t.Context(), path)
		if err != nil {
			t.Error(err)
		}
		second <- f
	}()
	// The owner removes the file: what the other one waits for must not be a lock on a file that nobody else finds.
	time.Sleep(poll / 2)
	if err := errors.Join(os.Remove(path), first.Close()); err != nil {
		t.Fatal(err)
	}
	f := <-second
	defer f.Close()
	if !there(f, path) {
		t.Error("the lock is on a file without a name")
	}
}
