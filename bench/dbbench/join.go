package dbbench

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"fletch/bench/chunks"
)

// Join says which tables are made for the join questions: a large one, X, and one to join it with, Medium. Nine tenths of
// the keys of either stand in the other as well. db-benchmark's Medium has a thousandth of the rows of X.
type Join struct {
	Rows       int64 // of X
	MediumRows int64
	Seed       uint64
}

// X describes the CSV file of the large table:
//
//	id1            few keys: one for each million rows
//	id2            the keys that Medium is joined by, MediumRows of them, uniform
//	id3            keys that no other row of X has
//	id4, id5, id6  the same three as names: id42
//	v1             numbers from 0 to 100 with up to six digits after the point
func (j Join) X() (chunks.File, error) {
	return j.file("x", j.Rows, j.fillX)
}

// Medium describes the CSV file of the table to join with: id1, id2, id4 and id5 as in X, where no two rows have the same
// id2, and v2, which is as v1 is.
func (j Join) Medium() (chunks.File, error) {
	return j.file("medium", j.MediumRows, j.fillMedium)
}

func (j Join) file(table string, rows int64, fill func([]byte, int64) []byte) (chunks.File, error) {
	if j.Rows < 1 || j.MediumRows < 1 {
		return chunks.File{}, errors.New("a table to join needs at least one row")
	}
	return chunks.File{
		Name:   fmt.Sprintf("join-%s-%d-by-%d-rows-seed-%d.csv", table, j.Rows, j.MediumRows, j.Seed),
		Chunks: (rows + chunkRows - 1) / chunkRows,
		Fill:   fill,
	}, nil
}

// The keys of each kind: id1, id2 and id3.
func (j Join) few() keys    { return newKeys(max(1, j.Rows/1_000_000)) }
func (j Join) joined() keys { return newKeys(j.MediumRows) }
func (j Join) single() keys { return newKeys(j.Rows) }

func (j Join) fillX(b []byte, n int64) []byte {
	b = b[:0]
	if n == 0 {
		b = append(b, "id1,id2,id3,id4,id5,id6,v1\n"...)
	}
	few, joined, single := j.few(), j.joined(), j.single()
	random := rand.NewPCG(j.Seed, uint64(2*n))
	for row := n * chunkRows; row < min((n+1)*chunkRows, j.Rows); row++ {
		id1, id2, id3 := few.left(draw(random, few.n)), joined.left(draw(random, joined.n)), single.left(row)
		b = appendInt(b, id1)
		b = appendInt(b, id2)
		b = appendInt(b, id3)
		b = appendName(b, id1, 1)
		b = appendName(b, id2, 1)
		b = appendName(b, id3, 1)
		b = appendPercent(b, random)
	}
	return b
}

func (j Join) fillMedium(b []byte, n int64) []byte {
	b = b[:0]
	if n == 0 {
		b = append(b, "id1,id2,id4,id5,v2\n"...)
	}
	few, joined, shuffled := j.few(), j.joined(), newPermutation(j.MediumRows)
	random := rand.NewPCG(j.Seed, uint64(2*n+1))
	for row := n * chunkRows; row < min((n+1)*chunkRows, j.MediumRows); row++ {
		id1, id2 := few.right(draw(random, few.n)), joined.right(shuffled.at(row))
		b = appendInt(b, id1)
		b = appendInt(b, id2)
		b = appendName(b, id1, 1)
		b = appendName(b, id2, 1)
		b = appendPercent(b, random)
	}
	return b
}
