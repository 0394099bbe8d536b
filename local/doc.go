// Package local runs jobs in this process: the whole engine without Raft and without sockets. It holds the state machine
// and the scheduler of a master, the attempts of a worker, and the loop that joins them.
//
// Main makes a program out of a job. Run and Collect serve programs that embed the engine, and tests.
package local
