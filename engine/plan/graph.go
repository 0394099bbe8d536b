// Package plan turns a job's graph into stages and tasks. It is pure: a graph and facts go in, stages and tasks come
// out, and no file, clock or goroutine is touched, so that a master can plan a job whose code it never loads.
package plan

import "slices"

// Kind says what a node of the graph does to records.
type Kind uint8

// The kinds of nodes.
const (
	// Source has no inputs: records come from files or are made.
	Source Kind = iota
	// Narrow maps each record by itself; several inputs are a union.
	Narrow
	// Exchange moves records between tasks: the shuffle. It cuts the graph.
	Exchange
	// Sink writes records to an output and has no consumers.
	Sink
	// Meet reads two exchanges side by side: records of one key come together from both. It begins a stage.
	Meet
)

// Graph describes a job without its code: it is what a client sends to a master.
type Graph struct {
	Job   string `json:"job"`
	Nodes []Node `json:"nodes"` // Nodes[i].ID == i; a node's inputs stand before it
}

// Node is one operator of the graph.
type Node struct {
	ID     int    `json:"id"`
	Kind   Kind   `json:"kind"`
	Op     string `json:"op"`   // the operator's public name, such as FlatMap
	Site   string `json:"site"` // file:line of the call that made it
	Inputs []int  `json:"inputs,omitempty"`
	// Sides are exchanges that stand before the node and that every task reads whole in which the node consumes records: a
	// Narrow node, or the writing side of an Exchange or a Sink.
	Sides []int `json:"sides,omitempty"`
	// Lookup are the inputs of a Meet, 0 or 1, whose records may be looked up: if few are written to such a one, every task
	// reads it whole, and the records of the other input stay where they are. See Stage.If.
	Lookup []int  `json:"lookup,omitempty"`
	Order  Order  `json:"order,omitempty"` // what it does about the order of records
	Type   string `json:"type"`            // the schema of the records that come out

	Source   *Input    `json:"source,omitempty"`   // set for a Source
	Exchange *Shuffle  `json:"exchange,omitempty"` // set for an Exchange
	Sink     *Location `json:"sink,omitempty"`     // set for a Sink
}

// Input says what a source reads: files, or a number of items that need no storage.
type Input struct {
	// Patterns are paths, directories or globs of files.
	Patterns []string `json:"patterns,omitempty"`
	// Items is the number of records (or of a user's own units of work) where there are no files; ItemBytes is the
	// estimated size of one.
	Items     int64 `json:"items,omitempty"`
	ItemBytes int64 `json:"item_bytes,omitempty"`
}

// Partitioning says how an exchange chooses a record's partition.
type Partitioning uint8

// The ways of partitioning.
const (
	ByHash    Partitioning = iota // by the hash of the key
	ByRow                         // in turn, row by row
	ByNothing                     // everything into one partition
	ByRange                       // by where the record stands in an order, so that the partitions' order is that of their records
)

// Shuffle is what the plan knows of an exchange.
type Shuffle struct {
	Partitioning Partitioning `json:"partitioning"`
	Partitions   int          `json:"partitions,omitempty"` // zero: follows from the input's size
	Combine      bool         `json:"combine,omitempty"`    // a map task folds records before they are moved
	Ordered      bool         `json:"ordered,omitempty"`    // keys come out in increasing order
	// Thin says that what is written is a sample, so that a part of the input is enough for it: the exchange is written by
	// stages that read no more than that.
	Thin bool `json:"thin,omitempty"`
}

// Location is where a sink publishes its parts.
type Location struct {
	Path   string `json:"path"`   // the directory that appears when the job commits
	Suffix string `json:"suffix"` // of the part files, with the dot
}

// FileRange is a range of one file's bytes.
type FileRange struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`          // up to the end where it reaches Size
	Size   int64  `json:"size"`            // of the whole file when it was listed
	Whole  bool   `json:"whole,omitempty"` // the file can't be read from its middle on: it is compressed
}

// Split is one or more ranges of the input that one source task reads: of files, or of items.
type Split struct {
	Files []FileRange `json:"files,omitempty"`
	First int64       `json:"first,omitempty"` // the first item
	Count int64       `json:"count,omitempty"` // the number of items
	Bytes int64       `json:"bytes"`           // the estimated size once uncompressed
}

// Stage is one root (a source, an exchange or a meet) with nodes that are reached from it without another exchange. Where no
// node has sides there is one stage a root, with every such node. A node reached from two roots stands in two stages; each
// record still passes it once, as it comes from one root.
//
// An output needs the sides of the nodes on its way from the root, and a side may be made of what the same root has written
// before. So a root may have several passes, each a stage that reads the root again: an output stands in the first one
// whose sides depend on none of its own root's stages from that pass on. Outputs that are thin have stages of their own.
type Stage struct {
	ID         int   `json:"id"`
	Root       int   `json:"root"` // node
	Pass       int   `json:"pass,omitempty"`
	Thin       bool  `json:"thin,omitempty"`    // it reads a sample of the root, and all its outputs are thin
	Nodes      []int `json:"nodes"`             // fused, inputs before users, the root first; exchanges and sinks that it writes last
	Outputs    []int `json:"outputs"`           // the exchanges and sinks among Nodes that this stage writes
	Sides      []int `json:"sides,omitempty"`   // the exchanges that Nodes read whole, but for those of the root
	Parents    []int `json:"parents,omitempty"` // the stages that write what it reads, the root's exchange or two of them and Sides; and see If
	Partitions int   `json:"partitions"`        // of what the root reads; zero for a source
	// OutputPartitions is by output: the partitions of an exchange, zero for a sink.
	OutputPartitions []int `json:"output_partitions"`
	// If are what has to hold for the stage to run: of two ways to the same outputs one is taken, once the stages are complete
	// that tell which. They are among Parents, whether or not the stage reads what they write.
	If []Condition `json:"if,omitempty"`
	// OrderDependent says that what a task of the stage writes to exchanges may be other records in other partitions when it
	// runs again, as the order of its input, or of what it joins, is then another one. So whatever has read the former has to
	// run again as well. A task of any other stage writes the same records to the same partitions, in whichever order.
	OrderDependent bool `json:"order_dependent,omitempty"`
}

// Condition is that what is written to an exchange is small enough to be looked up by every task, or that it is not.
type Condition struct {
	Exchange int  `json:"exchange"`
	Small    bool `json:"small"`
}

// Inputs returns the exchanges whose partitions the tasks of a stage share out: the root, or the two that meet there; none
// for a source.
func (s *Stage) Inputs(g *Graph) []int { return g.Nodes[s.Root].exchanges() }

// exchanges returns what Stage.Inputs does of a stage's root.
func (n *Node) exchanges() []int {
	switch n.Kind {
	case Exchange:
		return []int{n.ID}
	case Meet:
		return n.Inputs
	default:
		return nil
	}
}

// Reads returns all exchanges that a stage reads, in increasing order.
func (s *Stage) Reads(g *Graph) []int {
	all := slices.Concat(s.Inputs(g), s.Sides)
	slices.Sort(all)
	return slices.Compact(all)
}

// Again returns the nodes of a stage that its root's records have passed in an earlier stage already, or pass in a later
// one that reads all of them where the stage is thin.
func Again(stages []Stage, s *Stage) []int {
	if s.Thin {
		return s.Nodes
	}
	var again []int
	for i := range stages {
		if o := &stages[i]; o.Root == s.Root && o.Pass < s.Pass && !o.Thin {
			for _, n := range s.Nodes {
				if slices.Contains(o.Nodes, n) {
					again = append(again, n)
				}
			}
		}
	}
	return again
}

// Task is the work of one stage on one split or on the contiguous partitions [Lo, Hi).
type Task struct {
	Stage int    `json:"stage"`
	Index int    `json:"index"`
	Split *Split `json:"split,omitempty"`
	Lo    int    `json:"lo,omitempty"`
	Hi    int    `json:"hi,omitempty"`
	// Weight is how many times as much a task of a thin stage stands for as it reads, where that is not itself; else zero.
	Weight float64 `json:"weight,omitempty"`
}

// Result is what a finished attempt reports: the facts of planning, of commit and of the summary.
type Result struct {
	Shuffles []ShuffleOutput  `json:"shuffles,omitempty"`
	Parts    []Part           `json:"parts,omitempty"`
	Counters map[string]int64 `json:"counters,omitempty"` // the user's own
	Metrics  Metrics          `json:"metrics"`
}

// Metrics counts what an attempt did.
type Metrics struct {
	RowsIn       int64 `json:"rows_in"`
	BytesIn      int64 `json:"bytes_in"`
	RowsOut      int64 `json:"rows_out"`
	BytesOut     int64 `json:"bytes_out"`
	ShuffleBytes int64 `json:"shuffle_bytes"` // written to exchanges, a share of BytesOut
	SpilledBytes int64 `json:"spilled_bytes"` // written to the temporary directory
	// Spills is how often memory was short: runs that operators put aside, and times that blocks went to a file.
	Spills         int64 `json:"spills"`
	SpillWaitNanos int64 `json:"spill_wait_nanos"` // for which attempts waited for the temporary directory
	GrantedBytes   int64 `json:"granted_bytes"`    // the sum of what attempts were granted
	PeakBytes      int64 `json:"peak_bytes"`       // the most that one attempt held at a time
}

// Add adds the counts of o; of the peaks, the greater stays.
func (m *Metrics) Add(o Metrics) {
	m.RowsIn += o.RowsIn
	m.BytesIn += o.BytesIn
	m.RowsOut += o.RowsOut
	m.BytesOut += o.BytesOut
	m.ShuffleBytes += o.ShuffleBytes
	m.SpilledBytes += o.SpilledBytes
	m.Spills += o.Spills
	m.SpillWaitNanos += o.SpillWaitNanos
	m.GrantedBytes += o.GrantedBytes
	m.PeakBytes = max(m.PeakBytes, o.PeakBytes)
}

// Sub takes the counts of o away again. The peak stays: what was reached was reached.
func (m *Metrics) Sub(o Metrics) {
	m.RowsIn -= o.RowsIn
	m.BytesIn -= o.BytesIn
	m.RowsOut -= o.RowsOut
	m.BytesOut -= o.BytesOut
	m.ShuffleBytes -= o.ShuffleBytes
	m.SpilledBytes -= o.SpilledBytes
	m.Spills -= o.Spills
	m.SpillWaitNanos -= o.SpillWaitNanos
	m.GrantedBytes -= o.GrantedBytes
}

// ShuffleOutput is what an attempt wrote for one exchange.
type ShuffleOutput struct {
	Exchange int     `json:"exchange"` // node
	Bytes    []int64 `json:"bytes"`    // by partition
}

// Part is one finished, not yet published file of a sink.
type Part struct {
	Sink      int    `json:"sink"`      // node
	Partition int    `json:"partition"` // within its stage: the partition, or the task of a source stage
	Name      string `json:"name"`      // of the attempt's file
	Rows      int64  `json:"rows"`
	Bytes     int64  `json:"bytes"`
	CRC32C    uint32 `json:"crc32c"`
}
