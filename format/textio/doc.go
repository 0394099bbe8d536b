// Package textio reads and writes lines of text, as strings or with where they stand.
//
// A line ends at a newline; a carriage return before it is dropped. The last line of a file needs no end, and what
// follows the last newline is no line if it is empty. Bytes that are no UTF-8 pass through as they are. Files whose names
// end in .gz or .zst are decompressed as they are read.
//
// Where a big file is cut into ranges, a range holds the lines that begin in it: its reader skips the line that began
// before and finishes the last one beyond its end.
package textio
