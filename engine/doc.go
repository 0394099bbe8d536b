// Package engine is what the author of a job imports: typed datasets and the operators between them. A job is ordinary
// typed Go; the calls in this package do no work themselves but describe it as a graph, which then runs embedded in a
// program (package local) or on a cluster, unchanged.
//
//	job := engine.NewJob("wordcount")
//	lines := textio.Read(job, "*.txt")
//	words := engine.FlatMap(lines, strings.FieldsSeq)
//	csvio.Write(engine.Count(words), "counts")
//
// # Records
//
// A Dataset[T] holds records of type T: bool, numbers, string, []byte, time.Time, time.Duration, named types of these,
// arrays, slices and structs of these, Optional and KV. The tag `fletch:"name"` names a field's column, `fletch:"-"`
// leaves the field out. Package batch says how each becomes an Arrow column.
//
// # Functions
//
// The functions given to operators run many at once, in different tasks, and one record at a time within a task; what
// they share must be safe for that. A function may keep the strings it is given. A record that was handed on must not be
// changed afterwards. A panic fails the job with the operator and the record; for what can fail, use Process.
//
// # Order
//
// The same job on the same input gives the same bytes, whatever the number of cores and the memory; but sums of floats may
// differ in the last bits, and joins promise no order, so what has to be the same is sorted behind them. Keys come out of a
// keyed operator in increasing order within each partition, unless Unordered waives that. SortBy orders all records, partition
// after partition. What is equal in an order keeps that of the input. NaN stands last among floats and equals itself; -0
// equals 0.
//
// # Memory
//
// Records stream. Operators that have to keep some spill what memory does not hold: groups, accumulators, sorted records and
// the sides of a join may all be larger. A single record, a single accumulator and the small side of Broadcast have to fit,
// and the engine does not count what functions keep.
//
// # Mistakes
//
// An operator that is used wrongly returns a dataset all the same; the mistake is reported by Job.Err, with the file and
// line of the call.
package engine
