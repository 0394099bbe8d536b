// Package exec runs the operators of one stage over one split or one partition. A Source yields record batches; they
// are decoded to Go values, which pass through the stage's operators as nested function calls, row by row, with no batch
// between them; at the end of each path stands a Port, which takes batches again.
//
// The package knows batches and operators, not files, sockets or jobs: who runs an attempt plugs sources and ports in.
// All that happens in one Task happens on one coroutine; nothing here is safe for concurrent use unless it says so.
//
// # Errors
//
// Operators do not hand errors up through user code. What goes wrong below a row leaves by a panic of an unexported type
// that Program.Run recovers, as it does a panic of user code itself and a call of runtime.Goexit.
package exec
