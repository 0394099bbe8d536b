package csvio_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fletch/engine"
	"fletch/fault"
	"fletch/fault/faulttest"
	"fletch/format/csvio"
	"fletch/local"
	"fletch/storage/storagetest"
)

// write makes files below a new directory and returns that.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A job reads two of the columns that its files have.
func ExampleRead() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	err = os.WriteFile(filepath.Join(dir, "orders.csv"), []byte("id;customer;total\n1;\"Ann; Bob\";2.50\n2;Eve;\n"), 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}

	type order struct {
		Customer string
		Total    engine.Optional[float64] `fletch:"total"`
	}
	job := engine.NewJob("orders")
	orders, err := local.Collect(context.Background(), csvio.Read[order](job, filepath.Join(dir, "*.csv"), csvio.Delimiter(';')))
	if err != nil {
		fmt.Println(err)
	}
	for _, o := range orders {
		fmt.Println(o.Customer, o.Total.Value, o.Total.Valid)
	}
	// Output:
	// Ann; Bob 2.5 true
	// Eve 0 false
}

type cell struct {
	N    int
	Text string
}

// A file that is cut into several splits, of records that go over lines.
func TestBigFile(t *testing.T) {
	const rows = 400_000
	var b strings.Builder
	b.WriteString("Text,other,N\n")
	for i := range rows {
		fmt.Fprintf(&b, "\"the \"\"text\"\"\nof %d\",,%d\n", i, i)
	}
	dir := write(t, map[string]string{"a.csv": b.String(), "b.csv": fmt.Sprintf("N,Text\n%d,last\n", rows)})
	job := engine.NewJob("big")
	got, err := local.Collect(context.Background(), csvio.Read[cell](job, dir+"/a.csv", csvio.Also(dir+"/b.csv", dir+"/a.csv")))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != rows+1 || got[rows] != (cell{rows, "last"}) {
		t.Fatalf("%d records, the last one is %q", len(got), got[len(got)-1].Text)
	}
	for i, c := range got[:rows] {
		if c.N != i || c.Text != fmt.Sprintf("the \"text\"\nof %d", i) {
			t.Fatalf("record %d: %d, %q", i, c.N, c.Text)
		}
	}
}

// What one job wrote, the next one reads as it is.
func TestReadWhatAJobWrote(t *testing.T) {
	dir := t.TempDir()
	job := engine.NewJob("write")
	numbers := engine.Map(engine.Range(job, 0, 1000), func(n int64) cell { return cell{int(n), fmt.Sprintf("%d\n\"%d\"", n, n)} })
	csvio.Write(engine.Count(numbers), filepath.Join(dir, "counts"))
	if _, err := local.Run(context.Background(), job, local.Config{Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	got, err := local.Collect(context.Background(), csvio.Read[engine.KV[cell, int64]](engine.NewJob("read"), filepath.Join(dir, "counts")))
	if err != nil || len(got) != 1000 {
		t.Fatal(len(got), " records: ", err)
	}
	for _, c := range got {
		if c.Value != 1 || c.Key.Text != fmt.Sprintf("%d\n\"%d\"", c.Key.N, c.Key.N) {
			t.Errorf("record %v", c)
		}
	}
}

// A sort reads a sample of its input, and then all of it, and of neither much more than that.
func TestBytesReadBySort(t *testing.T) {
	const rows = 400_000
	var b strings.Builder
	b.WriteString("N,Text\n")
	for i := range rows {
		fmt.Fprintf(&b, "%d,%0100d\n", i, i*7919%rows)
	}
	in := storagetest.Put("sort", []byte(b.String()))
	job := engine.NewJob("sort")
	sorted := engine.SortBy(csvio.Read[cell](job, in.Path), engine.Asc(func(c cell) string { return c.Text }))
	csvio.Write(sorted, filepath.Join(t.TempDir(), "out"))
	if _, err := local.Run(context.Background(), job, local.Config{MaxLineBytes: 2 << 20}); err != nil {
		t.Fatal(err)
	}
	const ranges, pieces = 9, 9 * 8
	if n, most := storagetest.BytesRead(in), in.Size+pieces*(256<<10)+(ranges+pieces)*(96<<10); n < in.Size || n > most {
		t.Errorf("%d bytes of %d were read, want at most %d", n, in.Size, most)
	}
}

func TestBadRecordsFailTheJob(t *testing.T) {
	dir := write(t, map[string]string{
		"type.csv":   "N,Text\n1,a\ntwo,b\n",
		"column.csv": "Number,Text\n1,a\n",
		"quote.csv":  "N,Text\n1,\"a\n",
		"empty.csv":  "",
		"long.csv":   "N,Text\n1," + strings.Repeat("x", 5000) + "\n",
	})
	for name, words := range map[string][]string{
		"type.csv":    {`/type.csv line 3, column 1 (N): "two" is no int64`},
		"column.csv":  {`/column.csv: the first record has no column "N", but "Number", "Text"`},
		"quote.csv":   {`/quote.csv line 2, column 2 (Text): "\"a\n" has no closing quote`},
		"empty.csv":   {`/empty.csv: the first record is missing`},
		"long.csv":    {`/long.csv line 2: the record "1,xxx`, "--max-line"},
		"missing.csv": {"missing.csv does not exist"},
	} {
		job := engine.NewJob("bad")
		csvio.Write(csvio.Read[cell](job, filepath.Join(dir, name)), filepath.Join(t.TempDir(), "out"))
		_, err := local.Run(context.Background(), job, local.Config{MaxLineBytes: 4096})
		class := fault.User
		if name == "missing.csv" {
			class = fault.Permanent
		}
		faulttest.Want(t, err, class, append(words, "csvio.Read (")...)
	}
}

func TestPanicsTellThePlace(t *testing.T) {
	dir := write(t, map[string]string{"a.csv": "N,Text\n1,a\n2,b\n"})
	job := engine.NewJob("panic")
	bad := engine.Map(csvio.Read[cell](job, dir), func(c cell) int { return 1 / (c.N - 2) })
	_, err := local.Collect(context.Background(), bad)
	faulttest.Want(t, err, fault.User, "/a.csv byte 11", "divide by zero")
}
