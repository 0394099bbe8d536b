package contest

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// digest stands for the rows of a table in any order. Rows go to buckets by their exact fields, so that rows which have
// these in common meet; a bucket holds the multiset of the exact fields and, of each column of floats, a sum in which
// each row has a weight of its own, which follows from its exact fields. So a value that moves to another row is
// noticed, and one that differs in its last digits is not.
type digest struct {
	exact  [buckets]multiset
	floats [][buckets]weighted // by column
}

// buckets are so many that each holds a few hundred rows of the largest tables: the fewer, the less a small change of
// one row can hide among them.
const buckets = 1 << 16

// weighted is a sum of weighted values, and that of their magnitudes.
type weighted struct{ sum, magnitude float64 }

// tolerance is how far two sums may lie apart, as a part of their magnitude. Sums of a hundred thousand values have been
// added up in other orders with differences of 1e-13.
const tolerance = 1e-10

func newDigest(floats int) *digest { return &digest{floats: make([][buckets]weighted, floats)} }

func (d *digest) add(exact []byte, floats []float64) {
	hashes := new(multiset).add(exact)
	bucket := bucketOf(hashes)
	d.exact[bucket].size++
	for i, h := range hashes {
		d.exact[bucket].hashes[i] += h
	}
	weight := 1 + float64(hashes[1])/(1<<64)
	for i, v := range floats {
		if !isFinite(v) {
			continue
		}
		w := &d.floats[i][bucket]
		w.sum += weight * v
		w.magnitude += weight * math.Abs(v)
	}
}

func bucketOf(hashes [2]uint64) int { return int(hashes[0] % buckets) }

// differing returns the buckets in which another digest differs.
func (d *digest) differing(other *digest) (differing []int) {
	for b := range buckets {
		same := d.exact[b] == other.exact[b]
		for i := range d.floats {
			same = same && d.floats[i][b].isNear(other.floats[i][b])
		}
		if !same {
			differing = append(differing, b)
		}
	}
	return differing
}

func (w weighted) isNear(other weighted) bool {
	return math.Abs(w.sum-other.sum) <= tolerance*w.magnitude
}

// splitter parts the fields of a row into those that have to be the same and floats.
type splitter struct {
	isFloat []bool // by column
	exact   []byte
	floats  []float64
}

// split returns the exact fields, encoded so that equal bytes mean equal fields, and the floats. Both are valid until the
// following call. A float that is no finite number is an exact field as well.
func (s *splitter) split(row []string) (exact []byte, floats []float64, err error) {
	s.exact, s.floats = s.exact[:0], s.floats[:0]
	for i, field := range row {
		if s.isFloat[i] {
			v, err := strconv.ParseFloat(field, 64)
			if err != nil {
				return nil, nil, fmt.Errorf("read a float: %w", err)
			}
			s.floats = append(s.floats, v)
			if isFinite(v) {
				continue
			}
			field = strconv.FormatFloat(v, 'g', -1, 64)
		}
		s.exact = binary.AppendUvarint(s.exact, uint64(i))
		s.exact = binary.AppendUvarint(s.exact, uint64(len(field)))
		s.exact = append(s.exact, field...)
	}
	return s.exact, s.floats, nil
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
