package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"fletch/examples/internal/exampletest"
	"fletch/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// read returns the rows of a CSV text by their columns.
func read(t *testing.T, text []byte) (rows []map[string]string) {
	t.Helper()
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = l[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// want joins two texts in plain Go, and returns the rows of both outputs.
func want(t *testing.T, customers, orders []byte) (sales, unknown []string) {
	t.Helper()
	count, cents := map[string]int{}, map[string]int{}
	known := map[string]bool{}
	all := read(t, customers)
	for _, c := range all {
		known[c["id"]] = true
	}
	byID := read(t, orders)
	slices.SortFunc(byID, func(a, b map[string]string) int { return cmp.Compare(number(t, a["id"]), number(t, b["id"])) })
	for _, o := range byID {
		if !known[o["customer"]] {
			unknown = append(unknown, strings.Join([]string{o["id"], o["customer"], o["cents"]}, "|"))
		}
		count[o["customer"]]++
		cents[o["customer"]] += number(t, o["cents"])
	}
	slices.SortFunc(all, func(a, b map[string]string) int {
		return cmp.Or(cmp.Compare(a["country"], b["country"]), cmp.Compare(cents[b["id"]], cents[a["id"]]), cmp.Compare(number(t, a["id"]), number(t, b["id"])))
	})
	for _, c := range all {
		sales = append(sales, fmt.Sprintf("%s|%s|%s|%d|%d", c["id"], c["name"], c["country"], count[c["id"]], cents[c["id"]]))
	}
	return sales, unknown
}

func number(t *testing.T, digits string) int {
	t.Helper()
	n, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// check holds an output against rows.
func check(t *testing.T, files exampletest.Files, output, columns string, want []string) {
	t.Helper()
	var got []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if filepath.Dir(name) != output {
			continue
		}
		if !strings.HasPrefix(string(files[name]), columns+"\n") {
			t.Errorf("%s begins with %.60q", name, files[name])
		}
		for _, row := range read(t, files[name]) {
			var fields []string
			for column := range strings.SplitSeq(columns, ",") {
				fields = append(fields, row[column])
			}
			got = append(got, strings.Join(fields, "|"))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s has the rows\n%s\nwant\n%s", output, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// join runs the job under several settings and checks both outputs.
func join(t *testing.T, customers, orders string) {
	t.Helper()
	customerText, err := os.ReadFile(customers)
	if err != nil {
		t.Fatal(err)
	}
	orderText, err := os.ReadFile(orders)
	if err != nil {
		t.Fatal(err)
	}
	sales, unknown := want(t, customerText, orderText)
	for partitions, files := range exampletest.SameBytes(t, Job, "--customers", customers, "--orders", orders) {
		if len(files) != 2*partitions {
			t.Errorf("%d parts of %d partitions", len(files), partitions)
		}
		check(t, files, "out", "id,name,country,orders,cents", sales)
		check(t, files, "out-unknown", "id,customer,cents", unknown)
	}
}

// TestData joins the files of the example.
func TestData(t *testing.T) {
	join(t, "data/customers.csv", "data/orders.csv")
	files := exampletest.Run(t, Job, local.Config{}, "--customers", "data/customers.csv", "--orders", "data/orders.csv")
	for _, row := range []string{`101,"Brandt, Okafor & Sons",DE,3,20375`, `103,"The ""Blue"" Bakery",DE,2,0`, "108,Weber,DE,0,0"} {
		if text := files.Text("out"); !strings.Contains(text, "\n"+row+"\n") {
			t.Errorf("no row %s in\n%s", row, text)
		}
	}
}

// TestMany joins more than one task reads; some customers have no orders, one has a third of them.
func TestMany(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	customers, orders := dir+"/customers.csv", dir+"/orders.csv"
	var text strings.Builder
	text.WriteString("country,id,name\n")
	for i := range 2000 {
		fmt.Fprintf(&text, "%s,%d,\"customer, no. %d\"\n", []string{"DE", "FR", "NL"}[random.IntN(3)], i, random.IntN(100))
	}
	if err := os.WriteFile(customers, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	text.Reset()
	text.WriteString("id,customer,note,cents\n")
	note := strings.Repeat("a long note ", 40)
	for i := range 10_000 {
		customer := int(random.ExpFloat64() * 500)
		if i%3 == 0 {
			customer = 7
		}
		fmt.Fprintf(&text, "%d,%d,%s,%d\n", i, customer, note, random.IntN(10))
	}
	if err := os.WriteFile(orders, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	join(t, customers, orders)
}

// TestMistake wants a field that is no number to be named with its place.
func TestMistake(t *testing.T) {
	orders := filepath.Join(t.TempDir(), "orders.csv")
	if err := os.WriteFile(orders, []byte("id,customer,cents\n1,101,12.50\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := exampletest.TryRun(t, Job, local.Config{}, "--customers", "data/customers.csv", "--orders", orders)
	if err == nil || !strings.Contains(err.Error(), orders) || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), `"12.50"`) {
		t.Error(err)
	}
}

func TestStrayArgument(t *testing.T) { exampletest.Stray(t, Job) }
