package dbbench

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"fletch/bench/chunks"
)

// GroupBy says which table is made for the group-by questions.
type GroupBy struct {
	Rows   int64
	Groups int64 // of the columns with few groups: id1, id2, id4 and id5; the others have Rows/Groups
	Seed   uint64
}

// File describes the table's CSV file. All columns are uniform and independent of each other:
//
//	id1, id2  names of Groups groups: id001, ...
//	id3       names of Rows/Groups groups: id0000000001, ...
//	id4, id5  numbers of Groups groups, from 1
//	id6       numbers of Rows/Groups groups, from 1
//	v1, v2    whole numbers from 1 to 5, and to 15
//	v3        numbers from 0 to 100 with up to six digits after the point
func (g GroupBy) File() (chunks.File, error) {
	if g.Groups < 1 || g.Rows < g.Groups {
		return chunks.File{}, errors.New("a table to group needs at least one group, and as many rows as groups")
	}
	return chunks.File{
		Name:   fmt.Sprintf("groupby-%d-rows-%d-groups-seed-%d.csv", g.Rows, g.Groups, g.Seed),
		Chunks: (g.Rows + chunkRows - 1) / chunkRows,
		Fill:   g.fillChunk,
	}, nil
}

func (g GroupBy) fillChunk(b []byte, n int64) []byte {
	b = b[:0]
	if n == 0 {
		b = append(b, "id1,id2,id3,id4,id5,id6,v1,v2,v3\n"...)
	}
	few, many := g.Groups, g.Rows/g.Groups
	random := rand.NewPCG(g.Seed, uint64(n))
	for range min(chunkRows, g.Rows-n*chunkRows) {
		b = appendName(b, 1+draw(random, few), 3)
		b = appendName(b, 1+draw(random, few), 3)
		b = appendName(b, 1+draw(random, many), 10)
		b = appendInt(b, 1+draw(random, few))
		b = appendInt(b, 1+draw(random, few))
		b = appendInt(b, 1+draw(random, many))
		b = appendInt(b, 1+draw(random, 5))
		b = appendInt(b, 1+draw(random, 15))
		b = appendPercent(b, random)
	}
	return b
}
