package contest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// result writes the parts of a result into a directory, or a single one into a file, and returns its path.
func result(t *testing.T, extension string, parts ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "result")
	if len(parts) == 1 {
		write(t, path, parts[0])
		return path
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, part := range parts {
		write(t, filepath.Join(path, fmt.Sprintf("part-%05d%s", i, extension)), part)
	}
	write(t, filepath.Join(path, "_SUCCESS"), "{}")
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// checkAll has a judge check a good result and then others, each of which is right where want is empty.
func checkAll(t *testing.T, judge Judge, extension string, good []string, others []judged) {
	t.Helper()
	if err := judge.Check(result(t, extension, good...)); err != nil {
		t.Fatal(err)
	}
	for _, other := range others {
		err := judge.Check(result(t, extension, other.parts...))
		if (err == nil) != (other.want == "") || err != nil && !strings.Contains(err.Error(), other.want) {
			t.Errorf("%s: error %v\nwant one with %q", other.name, err, other.want)
		}
	}
}

type judged struct {
	name  string
	parts []string
	want  string
}

func TestSameTexts(t *testing.T) {
	checkAll(t, &Same{}, ".txt", []string{"a\nb\nc\n"}, []judged{
		{"parts", []string{"a\n", "b\nc\n"}, ""},
		{"empty parts", []string{"", "a\nb\nc\n", "", ""}, ""},
		{"a line is changed", []string{"a\n", "x\nc\n"}, `line 2 is "x\n", not "b\n"`},
		{"two lines change places", []string{"b\na\nc\n"}, `line 1 is "b\n"`},
		{"the parts change places", []string{"b\nc\n", "a\n"}, `line 1 is "b\n"`},
		{"a line is missing", []string{"a\nb\n"}, `ends before line 3: "c\n"`},
		{"a line stands twice", []string{"a\nb\nc\nc\n"}, `line 4 is too many: "c\n"`},
		{"a line does not end", []string{"a\nb\nc"}, "does not end"},
		{"a line is a long one", []string{strings.Repeat("a", 2<<20) + "\n"}, "longer than"},
		{"nothing", []string{""}, "ends before line 1"},
	})
	if err := (&Same{first: "no such"}).Check(result(t, ".txt", "a\n")); err == nil {
		t.Error("a first result that has gone is no error")
	}
}

func TestSortedTexts(t *testing.T) {
	input := result(t, ".txt", "c\na\nb\nb\n")
	checkAll(t, &Sorted{Input: input}, ".txt", []string{"a\nb\nb\nc\n"}, []judged{
		{"parts", []string{"a\n", "b\n", "b\nc\n"}, ""},
		{"two lines change places", []string{"a\nb\nc\nb\n"}, `line 4 is "b\n", behind "c\n"`},
		{"the parts change places", []string{"b\nc\n", "a\nb\n"}, `line 3 is "a\n", behind "c\n"`},
		{"a line is missing", []string{"a\nb\nc\n"}, "has 3 lines, the input 4"},
		{"a line stands twice", []string{"a\nb\nb\nc\nc\n"}, "has 5 lines"},
		{"another line stands twice", []string{"a\na\nb\nc\n"}, "other lines"},
		{"a line is changed", []string{"a\nb\nb\nd\n"}, "other lines"},
	})
}

func TestRowsInAnyOrder(t *testing.T) {
	const header = "key,n,mean,sum\n"
	judge := &Rows{Header: []string{"key", "n", "mean", "sum"}, Floats: []string{"mean", "sum"}}
	checkAll(t, judge, ".csv", []string{header + "a,1,0.5,1e9\nb,2,0.25,-3\n\"c,d\",3,NaN,0\n"}, []judged{
		{"parts in another order", []string{header + "b,2,0.25,-3\n", header, header + "\"c,d\",3,NaN,0\na,1,0.5,1e9\n"}, ""},
		{"floats of another form", []string{header + "a,1,.5,1000000000\nb,2,0.250,-3.0\n\"c,d\",3,nan,0\n"}, ""},
		{"floats that differ in the last digits", []string{header + "a,1,0.5000000000000001,1000000000.0001\nb,2,0.25,-3\n\"c,d\",3,NaN,0\n"}, ""},
		{"a float that differs by more", []string{header + "a,1,0.50000001,1e9\nb,2,0.25,-3\n\"c,d\",3,NaN,0\n"}, "lacks  a,1,0.5,1e+09\nadds   a,1,0.50000001,1e+09"},
		{"a float changes its sign", []string{header + "a,1,0.5,1e9\nb,2,0.25,3\n\"c,d\",3,NaN,0\n"}, "adds   b,2,0.25,3"},
		{"a float is none", []string{header + "a,1,0.5,1e9\nb,2,0.25,-3\n\"c,d\",3,0,0\n"}, "adds   c,d,3,0,0\nlacks  c,d,3,NaN,0"},
		{"two floats change places", []string{header + "a,1,0.25,1e9\nb,2,0.5,-3\n\"c,d\",3,NaN,0\n"}, "lacks  a,1,0.5,1e+09"},
		{"an exact field is changed", []string{header + "a,7,0.5,1e9\nb,2,0.25,-3\n\"c,d\",3,NaN,0\n"}, "lacks  a,1,"},
		{"a row is missing", []string{header + "a,1,0.5,1e9\nb,2,0.25,-3\n"}, "lacks  c,d,3,"},
		{"a row stands twice", []string{header + "a,1,0.5,1e9\na,1,0.5,1e9\nb,2,0.25,-3\n\"c,d\",3,NaN,0\n"}, "adds   a,1,0.5,1e+09"},
		{"a comma moves", []string{header + "a,1,0.5,1e9\nb,2,0.25,-3\nc,d,3,NaN\n"}, "adds   c,d,3,NaN"},
		{"a float is text", []string{header + "a,1,x,1e9\n"}, "invalid syntax"},
		{"another header", []string{"key,n,sum,mean\na,1,0.5,1e9\n"}, `header is "key,n,sum,mean"`},
		{"no header", []string{"a,1,0.5,1e9\n"}, `header is "a,1,0.5,1e9"`},
	})
	if n := judge.Len(); n != 3 {
		t.Errorf("there are %d rows", n)
	}
}

// A change of one row among very many is noticed, whatever it is.
func TestOneOfManyRows(t *testing.T) {
	const n = 200_000
	random := rand.New(rand.NewPCG(1, 1))
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("%d,%v\n", i, random.Float64()*100)
	}
	text := func(rows []string) string { return "key,value\n" + strings.Join(rows, "") }
	judge := &Rows{Header: []string{"key", "value"}, Floats: []string{"value"}}
	if err := judge.Check(result(t, ".csv", text(rows))); err != nil {
		t.Fatal(err)
	}
	inAnyOrder := slices.Clone(rows)
	random.Shuffle(n, func(i, j int) { inAnyOrder[i], inAnyOrder[j] = inAnyOrder[j], inAnyOrder[i] })
	if err := judge.Check(result(t, ".csv", text(inAnyOrder))); err != nil {
		t.Error(err)
	}
	for range 3 {
		at := random.IntN(n)
		key, value, _ := strings.Cut(strings.TrimSpace(rows[at]), ",")
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatal(err)
		}
		changed := slices.Clone(rows)
		changed[at] = fmt.Sprintf("%s,%v\n", key, f*(1+1e-8))
		if err := judge.Check(result(t, ".csv", text(changed))); err == nil || !strings.Contains(err.Error(), "lacks  "+key+",") {
			t.Errorf("row %d is changed: %v", at, err)
		}
	}
}

// Two values that change places are noticed in rows of the same bucket as well.
func TestFloatsBelongToTheirRows(t *testing.T) {
	exact := func(i int) []byte { return strconv.AppendInt(nil, int64(i), 10) }
	bucket := func(i int) int { return bucketOf(new(multiset).add(exact(i))) }
	other := 1
	for bucket(other) != bucket(0) {
		other++
	}
	right, swapped := newDigest(1), newDigest(1)
	right.add(exact(0), []float64{1})
	right.add(exact(other), []float64{2})
	swapped.add(exact(0), []float64{2})
	swapped.add(exact(other), []float64{1})
	if got := right.differing(swapped); !slices.Equal(got, []int{bucket(0)}) {
		t.Errorf("buckets that differ: %v, want %d", got, bucket(0))
	}
}
