package exec_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
	"fletch/engine/exec"
)

// discardPort takes batches and forgets them.
type discardPort struct{ rows int64 }

func (p *discardPort) Write(rec arrow.Record, _ []uint32) error {
	p.rows += rec.NumRows()
	return nil
}

// BenchmarkWordCountTask is the map side of a word count over lines in memory.
func BenchmarkWordCountTask(b *testing.B) {
	words := zipfWords(1<<21, 1_000_000)
	var lines []string
	bytes := 0
	for i := 0; i < len(words); i += 10 {
		lines = append(lines, strings.Join(words[i:min(i+10, len(words))], " "))
		bytes += len(lines[len(lines)-1]) + 1
	}
	codec, err := batch.CodecOf[batch.KV[string, int64]]()
	if err != nil {
		b.Fatal(err)
	}
	keyed := exec.Keyed[string, exec.None, int64]{Codec: codec, Slots: new(atomic.Int64), Fold: exec.CountFold, Keyer: func() *batch.Keyer[string] {
		k, _ := batch.KeyerOf[string]()
		return k
	}}
	exec.OnCoroutine(b, func(t *exec.Task) error {
		combine := exec.CombineKeys(t, &discardPort{}, 32, keyed)
		consume := exec.FlatMap(t, 0, strings.FieldsSeq, combine.Consume.(func(string) bool))
		b.SetBytes(int64(bytes))
		for b.Loop() {
			for _, l := range lines {
				consume(l)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(words)), "ns/word")
		return nil
	})
}
