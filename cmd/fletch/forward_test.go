package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestFlagsFirst(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"fletch", "fletch"},
		{"fletch --help", "fletch --help"},
		{"fletch job status a --json", "fletch job status --json a"},
		{"fletch job status a --master x:1 --json", "fletch job status --master x:1 --json a"},
		{"fletch job status a --master=x:1", "fletch job status --master=x:1 a"},
		{"fletch --json job --master x:1 status a", "fletch job status --json --master x:1 a"},
		{"fletch job wait --timeout 5s a", "fletch job wait --timeout 5s a"},
		{"fletch job status -- --json", "fletch job status -- --json"},
		{"fletch job status - --json", "fletch job status --json -"},
		{"fletch job status a --no-such-flag b", "fletch job status --no-such-flag a b"},
		{"fletch master add m4 x:1 --json", "fletch master add --json m4 x:1"},
		{"fletch master --id m1 --dir list", "fletch master --id m1 --dir list"},
		{"fletch master --insecure --id m1", "fletch master --insecure --id m1"},
		{"fletch run job --input a", "fletch run job --input a"},
		{"fletch run --quiet job --quiet x", "fletch run --quiet job --quiet x"},
		{"fletch submit --detach job list --input a", "fletch submit --detach job list --input a"},
		{"fletch executor serve --parent 3 x", "fletch executor serve --parent 3 x"},
		{"fletch rnu --quiet x", "fletch --quiet rnu x"},
		{"fletch job st --generate-bash-completion", "fletch job st --generate-bash-completion"},
	} {
		if got := flagsFirst(app(io.Discard, io.Discard), strings.Fields(c.args)); !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s: %q, want %s", c.args, got, c.want)
		}
	}
}
