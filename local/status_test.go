package local

import (
	"reflect"
	"testing"
)

func TestParseStatus(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Status
	}{
		{"nothing", "", Status{}},
		{"running", "output \"/a b\"\noutput \"/c\\n\"\n", Status{Outputs: []string{"/a b", "/c\n"}}},
		{"done", "output \"/a\"\nended 0\n", Status{Outputs: []string{"/a"}, Ended: true}},
		{"failed", "ended 1\n", Status{Ended: true, Code: ExitFailed}},
		{"cut in a path", "output \"/a\"\noutput \"/b", Status{Outputs: []string{"/a"}}},
		{"cut in a code", "ended 13", Status{}},
		{"of a stranger", "hello\nended well\n", Status{}},
	} {
		if got := ParseStatus(c.text); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
