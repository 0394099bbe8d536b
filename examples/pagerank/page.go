package main

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"fletch/engine"
)

// page is what is known of a page. It travels with its links, so that an iteration is one shuffle of pages.
type page struct {
	Rank  float64
	Links []string // the pages that it links to, each once
}

// named is a page with its name.
type named = engine.KV[string, page]

// parse makes of a line the link that it holds; the page at its other end becomes known by it too. Lines that are empty or
// begin with # hold none.
func parse(t *engine.Task, line string, emit func(engine.KV[string, string])) error {
	fields := strings.Fields(line)
	if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
		return nil
	}
	if len(fields) != 2 {
		return fmt.Errorf("%.100q is no link: want the names of two pages", line)
	}
	t.Add("links", 1)
	emit(engine.Pair(fields[0], fields[1]))
	emit(engine.Pair(fields[1], ""))
	return nil
}

// newPage makes a page of its links.
func newPage(name string, links iter.Seq[string]) iter.Seq[named] {
	var p page
	for to := range links {
		if to != "" {
			p.Links = append(p.Links, to)
		}
	}
	slices.Sort(p.Links)
	p.Links = slices.Compact(p.Links)
	return one(engine.Pair(name, p))
}

// passOn gives each page that p links to a share of p's rank, and p itself its links.
func passOn(p named) iter.Seq[named] {
	links := p.Value.Links
	return func(yield func(named) bool) {
		for _, to := range links {
			if !yield(engine.Pair(to, page{Rank: p.Value.Rank / float64(len(links))})) {
				return
			}
		}
		yield(engine.Pair(p.Key, page{Links: links}))
	}
}

// plus joins what two calls of passOn give to one page. One of them at most gives links.
func (p page) plus(q page) page {
	if len(q.Links) > 0 {
		p.Links = q.Links
	}
	return page{Rank: p.Rank + q.Rank, Links: p.Links}
}

// one returns the sequence of one element.
func one[T any](v T) iter.Seq[T] {
	return func(yield func(T) bool) { yield(v) }
}
