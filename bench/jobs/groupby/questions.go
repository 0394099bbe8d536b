package main

import (
	"fletch/engine"
	"fletch/format/csvio"
)

// questions are asked by their numbers. As in SQL, the groups of an answer stand in no order.
var questions = map[int]func(job *engine.Job, input, output string){
	1: sumByID1, 2: sumByID1AndID2, 3: sumAndMeanByID3, 4: meansByID4, 5: sumsByID6, 10: sumAndCountByAll,
}

// sumByID1 is question 1.
func sumByID1(job *engine.Job, input, output string) {
	type row struct {
		ID1 string `fletch:"id1"`
		V1  int64  `fletch:"v1"`
	}
	rows := csvio.Read[row](job, input)
	values := engine.Map(rows, func(r row) engine.KV[string, int64] { return engine.Pair(r.ID1, r.V1) })
	csvio.Write(engine.Sum(values, engine.Unordered()), output)
}

// sumByID1AndID2 is question 2.
func sumByID1AndID2(job *engine.Job, input, output string) {
	type key struct {
		ID1 string `fletch:"id1"`
		ID2 string `fletch:"id2"`
	}
	type row struct {
		ID1 string `fletch:"id1"`
		ID2 string `fletch:"id2"`
		V1  int64  `fletch:"v1"`
	}
	rows := csvio.Read[row](job, input)
	values := engine.Map(rows, func(r row) engine.KV[key, int64] { return engine.Pair(key{r.ID1, r.ID2}, r.V1) })
	csvio.Write(engine.Sum(values, engine.Unordered()), output)
}

// sumAndMeanByID3 is question 3.
func sumAndMeanByID3(job *engine.Job, input, output string) {
	type row struct {
		ID3 string  `fletch:"id3"`
		V1  int64   `fletch:"v1"`
		V3  float64 `fletch:"v3"`
	}
	type sums struct {
		V1, Count int64
		V3        float64
	}
	type result struct {
		V1 int64   `fletch:"v1"`
		V3 float64 `fletch:"v3"`
	}
	rows := csvio.Read[row](job, input)
	values := engine.Map(rows, func(r row) engine.KV[string, sums] { return engine.Pair(r.ID3, sums{V1: r.V1, Count: 1, V3: r.V3}) })
	totals := engine.Reduce(values, func(a, b sums) sums { return sums{a.V1 + b.V1, a.Count + b.Count, a.V3 + b.V3} }, engine.Unordered())
	csvio.Write(engine.Map(totals, func(t engine.KV[string, sums]) engine.KV[string, result] {
		return engine.Pair(t.Key, result{t.Value.V1, t.Value.V3 / float64(t.Value.Count)})
	}), output)
}

// meansByID4 is question 4.
func meansByID4(job *engine.Job, input, output string) {
	type row struct {
		ID4 int32   `fletch:"id4"`
		V1  int64   `fletch:"v1"`
		V2  int64   `fletch:"v2"`
		V3  float64 `fletch:"v3"`
	}
	type sums struct {
		V1, V2, Count int64
		V3            float64
	}
	type means struct {
		V1 float64 `fletch:"v1"`
		V2 float64 `fletch:"v2"`
		V3 float64 `fletch:"v3"`
	}
	rows := csvio.Read[row](job, input)
	values := engine.Map(rows, func(r row) engine.KV[int32, sums] {
		return engine.Pair(r.ID4, sums{V1: r.V1, V2: r.V2, Count: 1, V3: r.V3})
	})
	totals := engine.Reduce(values, func(a, b sums) sums {
		return sums{a.V1 + b.V1, a.V2 + b.V2, a.Count + b.Count, a.V3 + b.V3}
	}, engine.Unordered())
	csvio.Write(engine.Map(totals, func(t engine.KV[int32, sums]) engine.KV[int32, means] {
		n := float64(t.Value.Count)
		return engine.Pair(t.Key, means{float64(t.Value.V1) / n, float64(t.Value.V2) / n, t.Value.V3 / n})
	}), output)
}

// sumsByID6 is question 5.
func sumsByID6(job *engine.Job, input, output string) {
	type row struct {
		ID6 int32   `fletch:"id6"`
		V1  int64   `fletch:"v1"`
		V2  int64   `fletch:"v2"`
		V3  float64 `fletch:"v3"`
	}
	type sums struct {
		V1 int64   `fletch:"v1"`
		V2 int64   `fletch:"v2"`
		V3 float64 `fletch:"v3"`
	}
	rows := csvio.Read[row](job, input)
	values := engine.Map(rows, func(r row) engine.KV[int32, sums] { return engine.Pair(r.ID6, sums{r.V1, r.V2, r.V3}) })
	totals := engine.Reduce(values, func(a, b sums) sums { return sums{a.V1 + b.V1, a.V2 + b.V2, a.V3 + b.V3} }, engine.Unordered())
	csvio.Write(totals, output)
}

// sumAndCountByAll is question 10.
func sumAndCountByAll(job *engine.Job, input, output string) {
	type key struct {
		ID1 string `fletch:"id1"`
		ID2 string `fletch:"id2"`
		ID3 string `fletch:"id3"`
		ID4 int32  `fletch:"id4"`
		ID5 int32  `fletch:"id5"`
		ID6 int32  `fletch:"id6"`
	}
	type row struct {
		ID1 string  `fletch:"id1"`
		ID2 string  `fletch:"id2"`
		ID3 string  `fletch:"id3"`
		ID4 int32   `fletch:"id4"`
		ID5 int32   `fletch:"id5"`
		ID6 int32   `fletch:"id6"`
		V3  float64 `fletch:"v3"`
	}
	type sums struct {
		V3    float64 `fletch:"v3"`
		Count int64   `fletch:"count"`
	}
	rows := csvio.Read[row](job, input)
	values := engine.Map(rows, func(r row) engine.KV[key, sums] {
		return engine.Pair(key{r.ID1, r.ID2, r.ID3, r.ID4, r.ID5, r.ID6}, sums{r.V3, 1})
	})
	totals := engine.Reduce(values, func(a, b sums) sums { return sums{a.V3 + b.V3, a.Count + b.Count} }, engine.Unordered())
	csvio.Write(totals, output)
}
