package exec

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/engine/batch"
	"fletch/engine/budget"
	"fletch/fault"
)

// sideSource yields records, then an error.
type sideSource struct {
	records []arrow.Record
	end     error
	closed  *int
}

func (s *sideSource) Next() (arrow.Record, error) {
	if len(s.records) == 0 {
		return nil, s.end
	}
	rec := s.records[0]
	s.records = s.records[1:]
	return rec, nil
}

func (s *sideSource) Position(int) string { return "nowhere" }

func (s *sideSource) Close() error {
	for _, rec := range s.records {
		rec.Release()
	}
	*s.closed++
	return nil
}

func TestWhole(t *testing.T) {
	codec, err := batch.CodecOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	lost := fault.As(fault.FetchFailed, errors.New("lost"))
	for _, test := range []struct {
		name       string
		shareBytes int64
		end        error
		class      fault.Class
		want       string // in the error
	}{
		{"all", 1 << 20, io.EOF, 0, ""},
		{"too large", 100, io.EOF, fault.User, "needed at once"},
		{"lost", 1 << 20, lost, fault.FetchFailed, "lost"},
	} {
		t.Run(test.name, func(t *testing.T) {
			checked := memory.NewCheckedAllocator(memory.NewGoAllocator())
			defer checked.AssertSize(t, 0)
			opened, closed := 0, 0
			task := &Task{Memory: checked, program: Program{{}}}
			task.Side = func(exchange int) (Source, error) {
				if opened++; exchange != 7 {
					t.Errorf("exchange %d is opened", exchange)
				}
				b := codec.NewBuilder(checked)
				defer b.Release()
				var records []arrow.Record
				for _, rows := range [][]string{{"a", "b"}, {strings.Repeat("c", 100)}, {}} {
					if err := b.Append(rows); err != nil {
						return nil, err
					}
					records = append(records, b.Record())
				}
				return &sideSource{records, test.end, &closed}, nil
			}
			err := runOnCoroutine(t, task, test.shareBytes, func(task *Task) error {
				defer func() { task.Share.Give(task.Share.Used()) }() // as its end does
				for range 2 {
					if got := Whole(task, 7, codec); !slices.Equal(got, []string{"a", "b", strings.Repeat("c", 100)}) {
						t.Errorf("got %q", got)
					}
				}
				if task.Share.Used() < 100 {
					t.Errorf("the side takes %d bytes", task.Share.Used())
				}
				return nil
			})
			if test.want == "" && err != nil || test.want != "" && (err == nil || fault.ClassOf(err) != test.class || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v of class %v, want %q", err, fault.ClassOf(err), test.want)
			}
			if opened != 1 || closed != 1 {
				t.Errorf("opened %d times, closed %d times", opened, closed)
			}
			var tooLarge *budget.TooLargeError
			if errors.As(err, &tooLarge) != (test.name == "too large") {
				t.Errorf("%v", err)
			}
		})
	}
}
