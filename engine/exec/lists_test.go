package exec

import (
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/engine/batch"
)

// lists returns records with lists of short strings: each element takes 16 bytes beside its letter.
func lists(n, elements int) (out []batch.KV[int64, []string]) {
	for i := range n {
		kv := batch.KV[int64, []string]{Key: int64(i / 2)}
		for range elements {
			kv.Value = append(kv.Value, "a")
		}
		out = append(out, kv)
	}
	return out
}

// TestListsAreCounted sees that lists are counted as the Go values that they are, where an accumulator or a side has them.
func TestListsAreCounted(t *testing.T) {
	const n, elements, least = 6000, 20, 6000 * 20 * 16
	codec, in := codecOf[batch.KV[int64, []string]](t), lists(n, elements)
	fold := Fold[string, []string]{Merge: func(acc *[]string, other []string, _ bool) { *acc = append(*acc, other...) }}
	source := func() Source {
		return &recordsSource[batch.KV[int64, []string]]{memory.NewGoAllocator(), codec, in, 1000}
	}
	OnCoroutine(t, func(task *Task) error {
		g := newAggregator(task, Keyed[int64, string, []string]{Codec: codec, Keyer: keyerOf[int64]().Clone, Fold: fold}, true)
		defer g.release()
		err := g.collect(source())
		if used := task.Share.Used(); used < least {
			t.Errorf("accumulators of %d bytes are counted as %d", least, used)
		}
		return err
	})
	OnCoroutine(t, func(task *Task) error {
		task.Side = func(int) (Source, error) { return source(), nil }
		all := Whole(task, 0, codec)
		defer task.Share.Give(task.keptBytes)
		if used := task.Share.Used(); used < least || used > 2*least || len(all) != n {
			t.Errorf("a side of %d records and %d bytes is counted as %d", len(all), least, used)
		}
		return nil
	})
}
