package transfer

import (
	"fmt"

	"fletch/shuffle"
)

// selection is the stream of a query: the blocks one after the other.
type selection []*shuffle.Block

// gone lists the outputs of a query that are not there, or not whole.
type gone struct {
	Attempts []string `json:"lost"`
	Reason   string   `json:"reason"` // of the first
}

func (g *gone) add(attempt, reason string) {
	if len(g.Attempts) == 0 {
		g.Reason = reason
	}
	g.Attempts = append(g.Attempts, attempt)
}

// choose looks up the blocks of a query. It returns those outputs that have none, or an error that is this process's own.
func (r *Registry) choose(job string, q shuffle.Query) (selection, *gone, error) {
	files := make([]*shuffle.File, len(q.Attempts))
	for i, a := range q.Attempts {
		files[i] = r.file(job, a)
	}
	blocks := make(selection, 0, len(files)*(q.Hi-q.Lo))
	for p := q.Lo; p < q.Hi; p++ {
		lost := &gone{}
		for i, f := range files {
			if f == nil {
				lost.add(q.Attempts[i], fmt.Sprintf("attempt %s has no output here", q.Attempts[i]))
				continue
			}
			b, err := f.Block(q.Exchange, p)
			switch {
			case shuffle.Exhausted(err):
				return nil, nil, err
			case err != nil:
				lost.add(q.Attempts[i], err.Error())
			}
			blocks = append(blocks, b)
		}
		if len(lost.Attempts) > 0 {
			return nil, lost, nil
		}
	}
	return blocks, nil, nil
}

func (s selection) length() (n int64) {
	for _, b := range s {
		n += b.Length()
	}
	return n
}

// boundary returns where the first unit that reaches n ends, or the end of all.
func (s selection) boundary(n int64) (end int64) {
	for _, b := range s {
		if end+b.Length() >= n {
			return end + b.Boundary(n-end)
		}
		end += b.Length()
	}
	return end
}
