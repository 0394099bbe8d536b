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
