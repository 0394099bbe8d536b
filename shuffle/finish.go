package shuffle

import "time"

// finish encodes what the builders hold and brings all frames to where they stay.
func (w *Writer) finish() (*output, error) {
	for _, p := range w.ports {
		for i := range p.blocks {
			if err := w.encode(p, &p.blocks[i]); err != nil {
				return nil, err
			}
			w.free(&p.blocks[i])
		}
	}
	if !w.store.config.Durable && !w.spilled && len(w.arena) == 0 {
		return w.inMemory(), nil
	}
	chunks, end := w.segment()
	chunks = append(chunks, w.layout().encode(end))
	if err := w.place(chunks); err != nil {
		return nil, err
	}
	start := time.Now()
	if err := w.do(func() error { return w.file.commit(chunks) }); err != nil {
		return nil, err
	}
	w.letGo()
	if w.file.placed != nil {
		return &output{file: FileIn(w.attempt, w.file.placed)}, nil
	}
	w.wrote(start)
	return &output{file: w.store.fileAt(w.attempt, w.file.final)}, nil
}

// place asks for memory that outlives the process, if the output is to and lies in no file yet.
func (w *Writer) place(chunks [][]byte) error {
	config := &w.store.config
	if !config.Durable || config.Place == nil || w.spilled {
		return nil
	}
	size := int64(0)
	for _, c := range chunks {
		size += int64(len(c))
	}
	f, err := config.Place(w.c, w.attempt, size)
	if err == nil && f != nil {
		w.file.place(f)
	}
	return err
}

func (w *Writer) layout() *layout {
	l := &layout{attempt: w.attempt}
	for _, p := range w.ports {
		x := exchangeLayout{exchange: p.exchange}
		for i := range p.blocks {
			x.partitions = append(x.partitions, p.blocks[i].extents)
		}
		l.exchanges = append(l.exchanges, x)
	}
	return l
}

// inMemory returns the output of a Writer that spilled nothing. It takes over the budget that the Writer holds.
func (w *Writer) inMemory() *output {
	out := &output{held: w.held, memory: map[int][]memoryBlock{}}
	for _, p := range w.ports {
		blocks := make([]memoryBlock, len(p.blocks))
		for i := range blocks {
			blocks[i] = memoryBlock{frames: p.blocks[i].frames, rows: p.blocks[i].frameRows}
		}
		out.memory[p.exchange] = blocks
	}
	w.held = 0
	return out
}
