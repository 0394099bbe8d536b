// Package faulttest checks errors in tests.
package faulttest

import (
	"strings"
	"testing"

	"fletch/fault"
)

// Want ends the test if err is nil, and fails it unless err has the class and its text holds the words.
func Want(t *testing.T, err error, class fault.Class, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if fault.ClassOf(err) != class {
		t.Errorf("error %q is %v, want %v", err, fault.ClassOf(err), class)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q lacks %q", err, w)
		}
	}
}
