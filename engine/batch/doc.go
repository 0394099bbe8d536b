// Package batch is where typed Go records meet Arrow. A Codec moves records of one Go type to columns and back; a Keyer
// turns keys into bytes that compare as the keys do, hashes them and puts the short ones into two machine words.
//
// Both are compiled once per type: what runs per record is a loop over one column with a fixed offset and stride, never
// reflection. The package knows nothing of jobs, files or tasks.
//
// # Types and their columns
//
//	bool, the sized ints, uints and floats   the Arrow type of that name; int and uint are 64 bits wide
//	string, named strings                    String
//	[]byte                                   Binary; nil is null
//	time.Duration                            Duration in nanoseconds
//	time.Time                                Struct{sec: Timestamp in seconds UTC, nano: Int32}; the location becomes UTC
//	Optional[T]                              the column of T, null where the value is absent
//	[N]T                                     FixedSizeList; N is at least 1
//	[]T                                      List; nil is null
//	a struct                                 Struct; at the top of a record, a column for each field
//
// A time has two columns because neither nanoseconds (1678 to 2262) nor microseconds (no nanoseconds) hold every
// time.Time, the zero one among them. A record that is no struct has one column named "value".
//
// # Ownership
//
// Strings and byte slices that a Codec decodes are views of the record's buffers. Those lie on the Go heap and are
// never reused, so user code may keep a string for as long as it likes.
package batch
