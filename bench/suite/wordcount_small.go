package suite

import (
	"context"
	"fmt"

	"fletch/bench/report"
	"fletch/internal/machine"
)

// slotBytes is what a word of at most 15 bytes takes in a table with its count: a slot of 24 bytes, of which at most three
// in four are used.
const slotBytes = 32

// wordCountSmall counts very many words in the least memory and in plenty.
func wordCountSmall(ctx context.Context, c Config) ([]report.Row, error) {
	c.Words = int(c.scaled(20e6))
	file, err := text(ctx, c, c.Bytes)
	if err != nil {
		return nil, err
	}
	counter := func(bytes int64) entrant {
		e := wordCounters(c, file)[fletch]
		e.name, e.env = fletch+" "+memorySize(bytes), withMemory(bytes)
		return e
	}
	result := keysAndValues()
	rows, err := compete(ctx, c, fmt.Sprintf("word count %s, many words", size(c.Bytes)), c.Bytes, result, counter(plenty), counter(machine.LeastMemory))
	if err != nil {
		return nil, err
	}
	ample, least := &rows[0], &rows[1]
	ample.Notes = []string{fmt.Sprintf("%s words: a table of %.0f MB", count(result.Len()), float64(result.Len()*slotBytes)/1e6)}
	least.Targets = []report.Target{resident(*least, machine.LeastMemory)}
	least.Notes = []string{fmt.Sprintf("%.2f times the time of %s", least.Seconds/ample.Seconds, ample.Contestant)}
	return rows, nil
}
