package flock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
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
	// The owner removes the file: a lock on it is one that nobody else meets.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if there(first, path) {
		t.Error("a file without a name was taken for the one with the name")
	}
	second, err := Take(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if there(first, path) || !there(second, path) {
		t.Error("the new file was not told from the old one")
	}
	if err := errors.Join(first.Close(), second.Close()); err != nil {
		t.Fatal(err)
	}
}
