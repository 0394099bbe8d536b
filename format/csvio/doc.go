// Package csvio reads and writes comma-separated values as RFC 4180 has them: fields that hold a delimiter, a quote or the
// end of a line stand in quotes, with their own quotes doubled.
//
// # Columns
//
// A record of a scalar type has the column "value". A KV has "key" and "value"; where one of the two is a struct, its
// fields stand in its place, under their own names. A struct within a struct becomes columns named outer.inner. Two
// columns of one name are an error. So what Write writes, Read reads back as the same type, but for what text does not
// tell apart: see below.
//
//	no value          empty, as an empty string is
//	bool              true, false; also read: 1, t, T, TRUE, True, 0, f, F, FALSE, False
//	numbers           in decimal; floats in the shortest form that reads back the same, NaN, +Inf, -Inf
//	strings           as they are, in quotes where they need them
//	bytes             base64
//	time.Time         RFC 3339 in UTC, with as many digits of the second as it takes; also read: a date, a space in place
//	                  of the T, no zone, which means UTC
//	time.Duration     as its String method writes it, such as 1h15m30.5s
//	slices, arrays    their JSON
//
// # Writing
//
// Every file begins with a header, also one without rows. Each row ends in a newline.
//
// # Reading
//
// The names in a file's header say which column is which; a name that differs in case alone will do where there is no
// better one. Columns that T does not name are passed over, and what is in them is not looked at. Files may have their
// columns in different orders.
//
// An empty field is an empty string, a nil slice, or an Optional without a value; of a struct that is Optional, all
// fields are empty then. For any other type it is a mistake.
//
// Lines end in a newline, with or without a carriage return before it; the last one needs no end. Empty lines are passed
// over, as is a byte order mark. Bytes that are no UTF-8 pass through as they are. A file without even a header is
// a mistake, unless NoHeader is set: then it has no records. Files whose names end in .gz or .zst are decompressed as they
// are read.
//
// A record that has more or fewer fields than the first one of its file, a quote in a field that does not begin with one,
// text behind a closing quote, or a field that is none of its column's type fails the job, with the file, the line and
// the column. To tell the line, the file is read once more.
//
// A big file is cut into ranges; a range holds the records that begin in it. Whether its first byte stands in quotes
// follows from what is before: see boundary for how that is told without reading all of it.
package csvio
