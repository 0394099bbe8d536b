package report

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

var rows = []Row{
	{Benchmark: "word count 1 GB", Contestant: "limit", Seconds: 3.5, Rate: 285.7, CoreRate: 142.9, PeakMB: 1255, Speed: map[string]float64{"limit": 1}},
	{Benchmark: "word count 1 GB", Contestant: "fletch", Seconds: 7, Rate: 142.9, CoreRate: 71.4, PeakMB: 512, Speed: map[string]float64{"limit": 0.5}, Targets: []Target{
		AtLeast("speed of the limit", 0.5, 0.6, "times"),
		AtMost("peak", 512, 600, "MB"),
	}},
	{Benchmark: "1 KB", Contestant: "fletch", Seconds: 0.0123, Notes: []string{"2 times the time of none"}},
	{Benchmark: "Yield", Contestant: "fletch", Seconds: 120e-9, Targets: []Target{AtMost("ns per op", 120, 150, "")}},
	{Benchmark: "Parked", Contestant: "fletch", Bytes: 2900},
}

const table = `
BENCHMARK        CONTESTANT  MEDIAN    MB/S   MB/S/CORE  PEAK MB  VS LIMIT  TARGET
word count 1 GB  limit       3.50 s    285.7  142.9      1255     1.00
word count 1 GB  fletch      7.00 s    142.9  71.4       512      0.50      speed of the limit >= 0.6 times  NOT MET
                                                                            peak <= 600 MB                   met
1 KB             fletch      12.3 ms                                        2 times the time of none
Yield            fletch      120.0 ns                                       ns per op <= 150                 met
Parked           fletch      2900 B
`

func TestText(t *testing.T) {
	var b strings.Builder
	if err := WriteText(&b, rows, "limit"); err != nil {
		t.Fatal(err)
	}
	if got := "\n" + b.String(); got != table {
		t.Errorf("got %s\nwant %s", got, table)
	}
}

func TestJSONKeepsEverything(t *testing.T) {
	var b strings.Builder
	if err := WriteJSON(&b, rows); err != nil {
		t.Fatal(err)
	}
	var got []Row
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil || !reflect.DeepEqual(got, rows) {
		t.Errorf("got %+v, %v", got, err)
	}
}
