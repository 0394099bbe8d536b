package batch_test

import (
	"testing"
	"time"

	"fletch/engine/batch"
)

func TestPointed(t *testing.T) {
	if batch.Pointed[struct {
		A int
		B [3]float64
		C time.Time
	}]() != nil {
		t.Error("a type of fixed size has a function")
	}
	type inner struct {
		Name string
		Next []string
	}
	type record struct {
		N     int
		Text  string
		Bytes []byte
		In    [2]inner
		Maybe batch.Optional[string]
		List  []inner
	}
	size := batch.Pointed[record]()
	rec := record{
		Text: "12345", Bytes: make([]byte, 3, 10), Maybe: batch.Some("12"),
		In:   [2]inner{{Name: "123"}, {Next: []string{"1234", "1"}}},
		List: make([]inner, 1, 2),
	}
	rec.List[0].Name = "1234567"
	if got, want := size(&rec), int64(5+10+3+(2*16+5)+2+(2*40+7)); got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
	if got, want := batch.Listed[record]()(&rec), int64(2*16+2*40); got != want {
		t.Errorf("%d bytes beside the batch, want %d", got, want)
	}
	if batch.Listed[inner]() == nil || batch.Listed[struct {
		Text  string
		Bytes []byte
	}]() != nil {
		t.Error("a list has no function, or views have one")
	}
	if got := size(new(record)); got != 0 {
		t.Errorf("%d bytes of nothing", got)
	}
}

// node holds others of its type in a field that is not moved.
type node struct {
	Text string
	Kids []node `fletch:"-"`
}

func TestPointedSkipsFields(t *testing.T) {
	if got := batch.Pointed[node]()(&node{Text: "12", Kids: []node{{Text: "345"}}}); got != 2 {
		t.Errorf("%d bytes, want those of the text", got)
	}
}

// TestSizer compares with Pointed, for types that it knows by themselves and others.
func TestSizer(t *testing.T) {
	type text string
	word, named, number, rec := "word", text("named"), 7, node{Text: "12"}
	words, names, numbers, recs := batch.NewSizer[string](), batch.NewSizer[text](), batch.NewSizer[int](), batch.NewSizer[node]()
	for _, c := range []struct{ got, want int64 }{{words.Of(&word), 4}, {names.Of(&named), 5}, {numbers.Of(&number), 0}, {recs.Of(&rec), 2}} {
		if c.got != c.want {
			t.Errorf("%d bytes, want %d", c.got, c.want)
		}
	}
}
