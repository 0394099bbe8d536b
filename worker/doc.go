// Package worker is the agent of one machine: it takes orders from the leader, runs them in executors and keeps and serves
// what these leave behind.
//
//	leader <--- one stream ---> agent --- socket, one per executor ---> executor (child process, one job each)
//	other workers, masters --- HTTP: blocks, logs, health ---> agent
//
// # Who acts
//
// One goroutine, the loop in agent.go, owns jobs, attempts and executors; whatever else happens reaches it as a function
// to call. Around it: the link to the leader, one actor per executor process, one per plugin that is fetched, and the
// HTTP server. Outputs and logs are behind locks of their own, as executors and readers use them directly.
//
// The agent passes most messages through unread, so it keeps them in the shape that they have on the wire.
//
// # Invariants
//
//  1. Every attempt that was ordered ends exactly once: it is running or waiting, or its end is kept and repeated until the
//     leader has acknowledged it.
//  2. There is one stream to a leader at most, and what it says counts for the current epoch alone: with a new epoch, all
//     that an older one had is dropped.
//  3. An executor process belongs to one job for life. When it ends, its process group is killed and it is reaped; it does
//     not outlive the agent, however that ends.
//  4. A committed output is served until the leader drops it or ends its job, whatever happens to the executor.
//  5. No decision depends on the time of day.
package worker
