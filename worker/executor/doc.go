// Package executor is the process that has one job's code loaded and runs its attempts. It is a child of a worker's agent,
// which outlives it: a plugin can never be unloaded, and what user code does to its process (os.Exit, a fatal error, memory
// without end) ends this process alone.
//
//	agent                                                     executor
//	  |  --- starts it, with two sockets: 3 and 4 --->           |
//	  |  <-------------------- Hello ------------------------    |  a warm spare waits here, small
//	  |  --- Load: plugin, arguments, graph, stages -------->    |  opens the plugin, calls Job, compares the graphs
//	  |  <-------------------- Loaded -----------------------    |  or the error why not
//	  |  --- Producers, StartAttempt, StopAttempt, SetLimits ->  |  each attempt is a coroutine
//	  |  <-------- ProgressReport, LogRecord, AttemptEnded --    |  all records of an attempt before its end
//	  |  <-------- Reserve, OpenOutput (calls) --------------    |
//	  |  --- descriptors, on socket 4, then the reply ------>    |
//	  |  --- closes the connection ------------------------->    |  cancels what runs, ends
//
// Descriptor 3 is a stream socket with gRPC on it: the agent is the server, the stream Connect carries the messages (see
// api/executor.proto). Descriptor 4 is a socket of sequenced packets: one packet for each descriptor that the agent hands
// over, its payload the name of the attempt.
//
// # Who acts
//
// One goroutine, the loop in serve.go, owns the job and its attempts. Around it: one goroutine receives messages, one sends
// them, one receives descriptors, the scheduler runs the attempts, and a goroutine for each attempt waits for its end. Loading
// has a goroutine too, as the function Job may never return. Nothing that user code does holds up another: what cannot be
// sent at once waits in the outbox, where the room for logs is bounded and what exceeds it is counted and dropped.
//
// # The end
//
// The executor lives as long as its connection: when that ends, whatever the reason, all attempts are cancelled and given a
// moment to unwind, then the process ends with those that did not. It is started with a parent-death signal (which Go sets
// and checks against a parent that died before), so the agent's death ends it too, whatever user code does.
//
// Describe is apart from all this: it asks a plugin for its graph, in a child process of the caller.
package executor
