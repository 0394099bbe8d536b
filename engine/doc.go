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
// The same job on the same input gives the same bytes; sums of floats may differ in the last bits. Keys come out of a keyed operator in increasing order within each
// partition, unless Unordered waives that. NaN stands last among floats and equals itself; -0 equals 0.
//
// # Mistakes
//
// An operator that is used wrongly returns a dataset all the same; the mistake is reported by Job.Err, with the file and
// line of the call.
package engine
