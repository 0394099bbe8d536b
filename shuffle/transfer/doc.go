// Package transfer carries shuffle outputs between workers over HTTP: a Registry of what a worker has, a Handler that
// serves it, and a Client that fetches. It is apart from package shuffle so that a job's plugin does not carry HTTP.
//
// A Query becomes a GET whose answer is the stretch of the stream of blocks, its length known beforehand. What is long
// goes from the file to the socket within the kernel; for that the connection has to be a plain one (a *net.TCPConn).
//
// The answer to anything else than bytes is JSON: which outputs are gone and why, or why the query is refused.
// Addresses, limits and the stream: docs/format/shuffle.md.
package transfer
