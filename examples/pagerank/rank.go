package main

import (
	"iter"
	"strconv"

	"fletch/engine"
)

// damping is the chance that a reader follows a link of the page they are on; else they go on at any page.
const damping = 0.85

// sums is what every page has to know of all pages.
type sums struct {
	Pages    float64 // their number
	Dangling float64 // the ranks of those without links, whose readers go on at any page too
}

// total returns the sums as a dataset of one record.
func total(pages engine.Dataset[named]) engine.Dataset[sums] {
	each := engine.Map(pages, func(p named) engine.KV[int, sums] {
		if len(p.Value.Links) == 0 {
			return engine.Pair(0, sums{Pages: 1, Dangling: p.Value.Rank})
		}
		return engine.Pair(0, sums{Pages: 1})
	})
	whole := engine.Reduce(each, func(a, b sums) sums { return sums{a.Pages + b.Pages, a.Dangling + b.Dangling} })
	return engine.Map(whole, func(kv engine.KV[int, sums]) sums { return kv.Value })
}

// firstRank shares the rank of 1 out to all pages alike.
func firstRank(p named, all []sums) iter.Seq[named] {
	p.Value.Rank = 1 / all[0].Pages
	return one(p)
}

// nextRank makes of the shares that a page has received its rank.
func nextRank(p named, all []sums) iter.Seq[named] {
	n, dangling := all[0].Pages, all[0].Dangling
	p.Value.Rank = (1-damping)/n + damping*(p.Value.Rank+dangling/n)
	return one(p)
}

// ranked is a row of the result.
type ranked struct {
	Page string  `fletch:"page"`
	Rank float64 `fletch:"rank"` // to six digits
}

func nameOf(r ranked) string  { return r.Page }
func rankOf(r ranked) float64 { return r.Rank }

// round cuts off what may differ from run to run: sums of floats follow the order in which the engine adds them, in the
// last of their 16 digits. The hair that it adds first keeps numbers that end in a 5 behind the sixth digit from being
// rounded this way once, that way another time.
func round(p named) ranked {
	text := strconv.FormatFloat(p.Value.Rank*(1+1e-12), 'g', 6, 64)
	rank, _ := strconv.ParseFloat(text, 64) //nolint:errcheck // it is a number
	return ranked{p.Key, rank}
}
