package plan

import "testing"

func TestSkewed(t *testing.T) {
	g, err := parseGraph("a = items 1 1 | shuffle hash 8\nb = items 1 1 | shuffle hash 8\nmeet a b | write out")
	if err != nil {
		t.Fatal(err)
	}
	stages, err := Stages(g)
	if err != nil {
		t.Fatal(err)
	}
	if stages, err = Settle(g, stages, Facts{}); err != nil {
		t.Fatal(err)
	}
	const M = 1 << 20
	for _, test := range []struct {
		name string
		a, b []int64
		want Skew
	}{
		{"even", []int64{40 * M, 40 * M, 40 * M, 40 * M, 40 * M, 40 * M, 40 * M, 40 * M}, nil, Skew{}},
		{"small", []int64{0, 0, 32 * M, 0, 0, 0, 0, 0}, nil, Skew{}},
		{"one", []int64{0, 0, 32*M + 1, 0, 0, 0, 0, 0}, nil, Skew{2, 32*M + 1, 4 * M}},
		{"four times the mean", []int64{40 * M, 40 * M, 0, 0, 0, 0, 0, 0}, nil, Skew{}},
		{"both sides together", []int64{0, 20 * M, 0, 0, 0, 0, 0, 4 * M}, []int64{0, 20 * M, 0, 0, 0, 0, 0, 4 * M}, Skew{1, 40 * M, 6 * M}},
		{"nothing", []int64{0, 0, 0, 0, 0, 0, 0, 0}, nil, Skew{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := Facts{Bytes: map[int][]int64{1: test.a}}
			if test.b != nil {
				facts.Bytes[3] = test.b
			}
			got := Skewed(g, &stages[2], facts)
			if got == nil {
				got = &Skew{}
			}
			if *got != test.want {
				t.Errorf("got %+v, want %+v", *got, test.want)
			}
			if other := Skewed(g, &stages[0], facts); other != nil {
				t.Errorf("a source has %+v", other)
			}
		})
	}
}
