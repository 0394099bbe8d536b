// Package main joins orders with customers: what has each customer bought, and which orders belong to no customer?
package main

import (
	"flag"

	"fletch/engine"
	"fletch/format/csvio"
	"fletch/local"
)

// customer is what is read of a customer; a tag is the name of a column. Other columns are passed over.
type customer struct {
	ID      int64  `fletch:"id"`
	Name    string `fletch:"name"`
	Country string `fletch:"country"`
}

// order is what is read of an order.
type order struct {
	ID       int64 `fletch:"id"`
	Customer int64 `fletch:"customer"`
	Cents    int64 `fletch:"cents"`
}

// revenue is what some orders come to.
type revenue struct {
	Orders int64 `fletch:"orders"`
	Cents  int64 `fletch:"cents"`
}

func (r revenue) plus(o revenue) revenue { return revenue{r.Orders + o.Orders, r.Cents + o.Cents} }

// sales is a row of the result: of a pair of structs, the fields of both become columns.
type sales = engine.KV[customer, revenue]

// Job declares the work.
func Job(args []string) (*engine.Job, error) {
	flags := flag.NewFlagSet("join", flag.ContinueOnError)
	orderFiles := flags.String("orders", "", "CSV files with the columns id, customer and cents")
	customerFiles := flags.String("customers", "", "CSV files with the columns id, name and country")
	output := flags.String("output", "", "directory for each customer's revenue; the one named so with -unknown gets the orders of unknown customers")
	if err := local.Parse(flags, args); err != nil {
		return nil, err
	}
	job := engine.NewJob("join")
	customers := engine.KeyBy(csvio.Read[customer](job, *customerFiles), func(c customer) int64 { return c.ID })
	orders := engine.KeyBy(csvio.Read[order](job, *orderFiles), func(o order) int64 { return o.Customer })

	// Orders are added up before they are joined, so that one record of each customer is moved for it.
	amounts := engine.Map(orders, func(o engine.KV[int64, order]) engine.KV[int64, revenue] {
		return engine.Pair(o.Key, revenue{Orders: 1, Cents: o.Value.Cents})
	})
	totals := engine.Reduce(amounts, revenue.plus)
	all := engine.Map(engine.LeftJoin(customers, totals), func(j engine.KV[int64, engine.Joined[customer, engine.Optional[revenue]]]) sales {
		return engine.Pair(j.Value.Left, j.Value.Right.Value) // a customer without orders has the revenue of zero
	})
	// The order of a join has no meaning. No two rows are alike in all that these are sorted by.
	csvio.Write(engine.SortBy(all,
		engine.Asc(func(s sales) string { return s.Key.Country }),
		engine.Desc(func(s sales) int64 { return s.Value.Cents }),
		engine.Asc(func(s sales) customer { return s.Key })), *output)

	// All that is asked of the customers is which there are.
	known := engine.Map(customers, func(c engine.KV[int64, customer]) engine.KV[int64, struct{}] { return engine.Pair(c.Key, struct{}{}) })
	unknown := engine.Map(engine.AntiJoin(orders, known), func(o engine.KV[int64, order]) order { return o.Value })
	csvio.Write(engine.SortBy(unknown, engine.Asc(func(o order) order { return o })), *output+"-unknown")
	return job, nil
}

func main() { local.Main(Job) }
