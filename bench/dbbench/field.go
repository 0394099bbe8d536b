// Package dbbench makes the data of db-benchmark (H2O.ai's, which DuckDB Labs carries on): the table that its group-by
// questions are asked of, and the tables that its join questions join. The shapes and distributions are those of its
// groupby-datagen.R and join-datagen.R without missing values; the draws are others.
package dbbench

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"strconv"
)

// chunkRows is how many rows have random numbers of their own.
const chunkRows = 10_000

// draw returns a number from 0 up to but without n. Its bias, n in 2^64, is of no account.
func draw(random *rand.PCG, n int64) int64 {
	high, _ := bits.Mul64(random.Uint64(), uint64(n))
	return int64(high)
}

// appendInt appends a number and a comma.
func appendInt(row []byte, n int64) []byte {
	return append(strconv.AppendInt(row, n, 10), ',')
}

// appendName appends a number as a name, such as id042 where it has three digits at least, and a comma.
func appendName(row []byte, n int64, digits int) []byte {
	row = append(row, "id"...)
	for least := int64(math.Pow10(digits - 1)); n < least && least > 1; least /= 10 {
		row = append(row, '0')
	}
	return appendInt(row, n)
}

// appendPercent appends a number from 0 to 100 that is uniform in steps of a millionth, without zeros at its end, and ends
// the row.
func appendPercent(row []byte, random *rand.PCG) []byte {
	millionths := draw(random, 100_000_000+1)
	row = strconv.AppendInt(row, millionths/1_000_000, 10)
	if fraction := millionths % 1_000_000; fraction > 0 {
		row = append(row, '.')
		for unit := int64(100_000); fraction > 0; unit /= 10 {
			row = append(row, '0'+byte(fraction/unit))
			fraction %= unit
		}
	}
	return append(row, '\n')
}
