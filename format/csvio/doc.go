// Package csvio writes comma-separated values as RFC 4180 has them, with a newline at the end of each row. Every file
// begins with a header, also one without rows.
//
// A record of a scalar type has the column "value". A KV has "key" and "value"; where one of the two is a struct, its
// fields stand in its place, under their own names. A struct within a struct becomes columns named outer.inner. Two
// columns of one name are an error.
//
//	no value          empty, as an empty string is
//	bool              true, false
//	numbers           in decimal; floats in the shortest form that reads back the same, NaN, +Inf, -Inf
//	strings           as they are, in quotes where they need them
//	bytes             base64
//	time.Time         RFC 3339 in UTC, with as many digits of the second as it takes
//	time.Duration     as its String method writes it, such as 1h15m30.5s
//	slices, arrays    their JSON
package csvio
