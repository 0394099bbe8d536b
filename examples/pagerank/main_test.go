package main

import (
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"fletch/engine"
	"fletch/engine/plan"
	"fletch/examples/internal/exampletest"
	"fletch/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// powers iterates over a matrix of all pages.
func powers(links [][2]string, iterations int) map[string]float64 {
	matrix := map[string]map[string]bool{} // by page: the pages that link to it
	out := map[string]float64{}            // by page: to how many it links
	for _, l := range links {
		for _, name := range l {
			if matrix[name] == nil {
				matrix[name] = map[string]bool{}
			}
		}
		if !matrix[l[1]][l[0]] {
			matrix[l[1]][l[0]] = true
			out[l[0]]++
		}
	}
	n := float64(len(matrix))
	ranks := map[string]float64{}
	for name := range matrix {
		ranks[name] = 1 / n
	}
	for range iterations {
		next := map[string]float64{}
		for to := range matrix {
			for from, rank := range ranks {
				switch {
				case out[from] == 0:
					next[to] += 0.85 * rank / n
				case matrix[to][from]:
					next[to] += 0.85 * rank / out[from]
				}
				next[to] += 0.15 * rank / n
			}
		}
		ranks = next
	}
	return ranks
}

// check wants a result to have the ranks in their order.
func check(t *testing.T, text string, want map[string]float64) {
	t.Helper()
	var rows []ranked
	for part := range strings.SplitSeq(text, "page,rank\n") { // each has a header
		lines, err := csv.NewReader(strings.NewReader(part)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			rank, err := strconv.ParseFloat(l[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, ranked{l[0], rank})
		}
	}
	for i, r := range rows {
		if w := want[r.Page]; math.Abs(r.Rank-w) > w*0.51e-5 {
			t.Errorf("page %s has the rank %v, want %v", r.Page, r.Rank, w)
		}
		if i > 0 && (r.Rank > rows[i-1].Rank || r.Rank == rows[i-1].Rank && r.Page <= rows[i-1].Page) {
			t.Errorf("%v comes behind %v", r, rows[i-1])
		}
	}
	if len(rows) != len(want) {
		t.Errorf("%d pages, want %d", len(rows), len(want))
	}
}

// TestSite ranks the pages of the example.
func TestSite(t *testing.T) {
	text, err := os.ReadFile("links/site.txt")
	if err != nil {
		t.Fatal(err)
	}
	var links [][2]string
	for line := range strings.Lines(string(text)) {
		if from, to, ok := strings.Cut(strings.TrimSpace(line), " "); ok && from != "#" {
			links = append(links, [2]string{from, to})
		}
	}
	for _, iterations := range []int{0, 1, 10} {
		args := []string{"--input", "links", "--iterations", fmt.Sprint(iterations)}
		check(t, exampletest.Run(t, Job, local.Config{}, args...).Text("out"), powers(links, iterations))
	}
}

// TestRandom ranks pages with links twice, to themselves, and without any.
func TestRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var links [][2]string
	var text strings.Builder
	for range 600 {
		// Few pages have most of the links to them; a half of the pages has none to others.
		from, to := fmt.Sprint("p", random.IntN(100)), fmt.Sprint("p", int(random.ExpFloat64()*40))
		links = append(links, [2]string{from, to})
		fmt.Fprintf(&text, "%s\t %s\n", from, to)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "links.txt"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	want := powers(links, 5)
	var first string
	for _, files := range exampletest.SameBytes(t, Job, "--input", dir, "--iterations", "5") {
		check(t, files.Text("out"), want)
		digits := strings.ReplaceAll(files.Text("out"), "page,rank\n", "")
		if first == "" {
			first = digits
		}
		if digits != first {
			t.Error("other partitions give other digits")
		}
	}
}

// TestRound wants what differs in the last bit to be rounded alike, also halfway between two numbers.
func TestRound(t *testing.T) {
	for _, rank := range []float64{1. / 1024, 0.1234565, 1. / 3, 2.5e-7} {
		below := round(engine.Pair("p", page{Rank: math.Nextafter(rank, 0)}))
		above := round(engine.Pair("p", page{Rank: math.Nextafter(rank, 1)}))
		if below != above || math.Abs(below.Rank-rank) > 0.51e-5*rank {
			t.Errorf("%v becomes %v and %v", rank, below.Rank, above.Rank)
		}
	}
}

// TestPlan wants 7 stages, and of each iteration a stage for the pages and one for their sums, however many there are.
func TestPlan(t *testing.T) {
	stages := func(iterations int) int {
		job, err := Job([]string{"--input", "links", "--output", "out", "--iterations", strconv.Itoa(iterations)})
		if err != nil {
			t.Fatal(err)
		}
		graph, err := job.Graph()
		if err != nil {
			t.Fatal(err)
		}
		s, err := plan.Stages(graph)
		if err != nil {
			t.Fatal(err)
		}
		return len(s)
	}
	for _, iterations := range []int{0, 1, 10, 200} {
		if got, want := stages(iterations), 7+2*iterations; got != want {
			t.Errorf("%d iterations take %d stages, want %d", iterations, got, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	if _, err := Job([]string{"--iterations", "-1"}); err == nil || !strings.Contains(err.Error(), "--iterations -1") {
		t.Error(err)
	}
	path := filepath.Join(t.TempDir(), "links.txt")
	if err := os.WriteFile(path, []byte("a b\na b c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := exampletest.TryRun(t, Job, local.Config{}, "--input", path)
	if err == nil || !strings.Contains(err.Error(), path+` byte 4: "a b c" is no link`) {
		t.Error(err)
	}
}

func TestStrayArgument(t *testing.T) { exampletest.Stray(t, Job) }
