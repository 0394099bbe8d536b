package state

import (
	"testing"

	"pgregory.net/rapid"
)

func TestAttemptIDRoundTrip(t *testing.T) {
	id := rapid.Custom(func(t *rapid.T) AttemptID {
		return AttemptID{
			Job:          rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,99}`).Draw(t, "job"),
			Stage:        rapid.IntMin(0).Draw(t, "stage"),
			StageAttempt: rapid.IntMin(0).Draw(t, "stage attempt"),
			Task:         rapid.IntMin(0).Draw(t, "task"),
			Term:         rapid.Uint64().Draw(t, "term"),
			Number:       rapid.Uint64().Draw(t, "number"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := id.Draw(t, "a"), id.Draw(t, "b")
		back, err := ParseAttemptID(a.String())
		if err != nil || back != a {
			t.Fatalf("ParseAttemptID(%s) = %+v, %v", a, back, err)
		}
		if len(a.String()) > 255 {
			t.Fatalf("%s is too long for a file name", a)
		}
		if (a == b) != (a.String() == b.String()) || (a == b) != (a.Compare(b) == 0) || a.Compare(b) != -b.Compare(a) {
			t.Fatalf("%s and %s compare wrongly", a, b)
		}
	})
}

func FuzzParseAttemptID(f *testing.F) {
	for _, s := range []string{"", "a_0.0_0_1.1", "a_0.0_0_1.01", "a_-1.0_0_1.1", "a_18446744073709551615.0_0_1.1", "-_0.0_0_1.1", "_0.0_0_1.1", "a/b_0.0_0_1.1", "a_0.0_0_1", "a_+1.0_0_1.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseAttemptID(s)
		if err == nil && id.String() != s {
			t.Fatalf("%q is read as %s", s, id)
		}
		if err == nil && (id.Stage < 0 || id.StageAttempt < 0 || id.Task < 0) {
			t.Fatalf("%q is read as %+v", s, id)
		}
	})
}
