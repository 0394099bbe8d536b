package dbbench

import (
	"bytes"
	"encoding/csv"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"fletch/bench/chunks"
)

// textOf returns the bytes of a file.
func textOf(t *testing.T, file chunks.File, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := file.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// table is a file's columns by name.
type table map[string][]string

func tableOf(t *testing.T, file chunks.File, err error) table {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(textOf(t, file, err))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	columns := table{}
	for i, name := range rows[0] {
		for _, row := range rows[1:] {
			columns[name] = append(columns[name], row[i])
		}
	}
	return columns
}

func (c table) ints(t *testing.T, name string) []int64 {
	t.Helper()
	var numbers []int64
	for _, text := range c[name] {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// checkUniform checks that the values of a column are spread evenly over as many as there should be.
func (c table) checkUniform(t *testing.T, name string, distinct int) {
	t.Helper()
	counts := map[string]int{}
	for _, text := range c[name] {
		counts[text]++
	}
	want := float64(len(c[name])) / float64(distinct)
	for text, n := range counts {
		if math.Abs(float64(n)-want) > 6*math.Sqrt(want) {
			t.Errorf("%s: %s occurs %d times, want about %.0f", name, text, n, want)
		}
	}
	// Of values that are drawn want times on average, a fraction of e^-want is never drawn.
	if least := float64(distinct) * (1 - 2*math.Exp(-want)); len(counts) > distinct || float64(len(counts)) < math.Floor(least) {
		t.Errorf("%s: %d distinct values, want %d", name, len(counts), distinct)
	}
}

func TestTableToGroup(t *testing.T) {
	const rows, groups = 2*chunkRows + 1, 100
	file, err := GroupBy{Rows: rows, Groups: groups, Seed: 1}.File()
	columns := tableOf(t, file, err)
	for _, column := range []struct {
		name, shape string
		distinct    int
	}{
		{"id1", `^id(0\d\d|100)$`, groups},
		{"id2", `^id(0\d\d|100)$`, groups},
		{"id3", `^id0{7}\d{3}$`, rows / groups},
		{"id4", `^[1-9]\d*$`, groups},
		{"id5", `^[1-9]\d*$`, groups},
		{"id6", `^[1-9]\d*$`, rows / groups},
		{"v1", `^[1-5]$`, 5},
		{"v2", `^([1-9]|1[0-5])$`, 15},
	} {
		if n := len(columns[column.name]); n != rows {
			t.Errorf("%s has %d rows", column.name, n)
		}
		shape := regexp.MustCompile(column.shape)
		for _, text := range columns[column.name] {
			if !shape.MatchString(text) {
				t.Fatalf("%s: %q", column.name, text)
			}
		}
		columns.checkUniform(t, column.name, column.distinct)
	}
	checkPercents(t, columns["v3"], rows)
}

// checkPercents checks numbers from 0 to 100 with up to six digits after the point.
func checkPercents(t *testing.T, texts []string, rows int) {
	t.Helper()
	shape := regexp.MustCompile(`^(0|[1-9]\d?|100)(\.\d{0,5}[1-9])?$`)
	var sum float64
	for _, text := range texts {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n > 100 || !shape.MatchString(text) {
			t.Fatalf("%q is no number from 0 to 100: %v", text, err)
		}
		sum += n
	}
	if mean, deviation := sum/float64(rows), 100/math.Sqrt(12*float64(rows)); len(texts) != rows || math.Abs(mean-50) > 6*deviation {
		t.Errorf("%d numbers with a mean of %v", len(texts), mean)
	}
}

func TestTablesToJoin(t *testing.T) {
	const rows, medium = 2*chunkRows + 1, 1000
	j := Join{Rows: rows, MediumRows: medium, Seed: 1}
	file, err := j.X()
	x := tableOf(t, file, err)
	file, err = j.Medium()
	m := tableOf(t, file, err)
	x.checkUniform(t, "id1", 1)
	x.checkUniform(t, "id2", medium)
	x.checkUniform(t, "id3", rows)
	m.checkUniform(t, "id2", medium)
	checkPercents(t, x["v1"], rows)
	checkPercents(t, m["v2"], medium)
	for number, name := range map[string]string{"id1": "id4", "id2": "id5", "id3": "id6"} {
		for _, c := range []table{x, m} {
			for i, n := range c[number] {
				if c[name] != nil && c[name][i] != "id"+n {
					t.Fatalf("row %d: %s is %s, %s is %s", i, number, n, name, c[name][i])
				}
			}
		}
	}
	right := map[int64]bool{}
	for _, key := range m.ints(t, "id2") {
		right[key] = true
	}
	matched, above := 0, 0
	left := map[int64]bool{}
	for _, key := range x.ints(t, "id2") {
		if key < 1 || key > medium*11/10 {
			t.Fatalf("id2 is %d", key)
		}
		if left[key] = true; right[key] {
			matched++
		}
		if key > medium*11/20 {
			above++
		}
	}
	if share := float64(matched) / rows; math.Abs(share-0.9) > 0.02 {
		t.Errorf("%v of the rows match, want 0.9", share)
	}
	if share := float64(above) / rows; math.Abs(share-0.5) > 0.02 {
		t.Errorf("%v of the keys are in the upper half, want 0.5", share)
	}
	common := 0
	for key := range right {
		if left[key] {
			common++
		}
	}
	if common != medium*9/10 {
		t.Errorf("%d keys stand in both tables, want %d", common, medium*9/10)
	}
}

func TestFilesDependOnTheSeed(t *testing.T) {
	files := map[string]func(seed uint64) (chunks.File, error){
		"group-by": func(seed uint64) (chunks.File, error) { return GroupBy{Rows: 1000, Groups: 10, Seed: seed}.File() },
		"x":        func(seed uint64) (chunks.File, error) { return Join{Rows: 1000, MediumRows: 10, Seed: seed}.X() },
		"medium":   func(seed uint64) (chunks.File, error) { return Join{Rows: 1000, MediumRows: 10, Seed: seed}.Medium() },
	}
	for name, file := range files {
		text := func(seed uint64) string {
			f, err := file(seed)
			return textOf(t, f, err)
		}
		first := text(1)
		if text(1) != first {
			t.Errorf("%s: the same seed gives other rows", name)
		}
		if text(2) == first {
			t.Errorf("%s: the seed does not change the rows", name)
		}
	}
}

func TestKeysAreDistinctAtAnySize(t *testing.T) {
	for n := int64(1); n < 300; n++ {
		k := newKeys(n)
		left, both := map[int64]bool{}, 0
		for i := range n {
			left[k.left(i)] = true
		}
		right := map[int64]bool{}
		for i := range n {
			if right[k.right(i)] = true; left[k.right(i)] {
				both++
			}
		}
		if len(left) != int(n) || len(right) != int(n) || both != int(n-n/10) {
			t.Errorf("of %d keys %d are distinct on the left, %d on the right, %d in both", n, len(left), len(right), both)
		}
	}
}

func TestConfigsAreValidated(t *testing.T) {
	if _, err := (GroupBy{Rows: 10}).File(); err == nil {
		t.Error("a table without groups is no error")
	}
	if _, err := (Join{Rows: 10}).X(); err == nil {
		t.Error("a join with a table without rows is no error")
	}
}
