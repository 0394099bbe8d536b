package state

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// copyOf takes a machine apart and puts it together again.
func copyOf(t *rapid.T, m *Machine) *Machine {
	s := m.Snapshot()
	for i, j := range s.Jobs {
		loaded, err := Load(j.Save())
		if err != nil {
			t.Fatal(err)
		}
		s.Jobs[i] = loaded
	}
	restored, err := Restore(s)
	if err != nil {
		t.Fatal(err)
	}
	return restored
}

// TestLoadRefusesWhatIsMissing takes something away from a job that was taken apart.
func TestLoadRefusesWhatIsMissing(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*Saved)
		want  string
	}{
		{"graph", func(s *Saved) { s.Job.Graph = nil }, "no graph"},
		{"stage", func(s *Saved) { s.Stages = s.Stages[1:] }, "stage 1 stands at 0"},
		{"task", func(s *Saved) { s.Stages[0].Tasks = slices.Values([]*Task{}) }, "stage 0 has 0 of 2 tasks"},
	} {
		_, j := chain(t)
		s := j.Save()
		test.spoil(&s)
		if _, err := Load(s); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	_, j := chain(t)
	if _, err := Restore(Snapshot{Jobs: []*Job{j, j}}); err == nil || !strings.Contains(err.Error(), "job a stands twice") {
		t.Errorf("twice: %v", err)
	}
}
