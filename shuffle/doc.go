// Package shuffle carries the output of one stage's tasks to the tasks of the next. A Writer scatters the batches of one
// attempt into partitions and commits them as a whole; a Reader reads one partition from every producer, here or on
// another worker. The package knows attempts, exchanges and partitions, not jobs.
//
// # Life of an output
//
//	Port.Write   rows -> builders, one per partition                  (bounded by Config.BufferBytes per writer)
//	   full      builder -> encoded frame                             (in memory while Config.MemoryBytes last)
//	   refused   the writer's frames -> a segment of its file         (one extent per partition)
//	Commit       the rest; memory stays memory, a file gets its index and its name
//	   Durable   all goes to a file, or into a memfd of the process that serves it
//	Reader       frames -> records, each verified
//	   remote    block headers and frames, a chunk at a time          (ahead of need while Config.AheadBytes last)
//	Remove       gone
//
// An attempt has one file at the most, whatever its exchanges and partitions, and none if the memory sufficed. Its file
// is partition-major within each segment, so what a Reader wants of a segment stands in one piece. Until Commit has
// renamed it, it has a temporary name; a Writer ends in Commit or Discard. Files are not synced: what a crash of the
// machine takes, it takes together with the memory outputs and the master re-runs the producers.
//
// # Who acts
//
// A Writer and a Reader each belong to one coroutine; everything that touches a file or another worker runs on the
// scheduler's I/O goroutines while that coroutine is parked, or ahead of it. The Store may be used from anywhere.
//
// A Reader has a stream for each other worker that holds outputs it reads. A stream asks for its blocks in the Reader's
// order, so its next chunk is all that the Reader can ever wait for. A try is one call on an I/O goroutine, with a
// deadline; the pause before the next is the coroutine's, and takes no goroutine.
//
// # Invariants
//
//  1. The bytes of all frames in memory, committed or not, are at most Config.MemoryBytes. Nobody waits for that budget:
//     who is refused spills what is his own. Likewise nobody waits for Config.AheadBytes: who is refused fetches what he
//     needs next.
//  2. Bytes that were handed to frame.Decode are never changed or reused: a user's strings point into them. Frames in
//     memory are therefore fresh and immutable; Remove gives them up to the garbage collector.
//  3. While an I/O goroutine works for a Writer or a stream, its coroutine touches none of its memory, even when it is
//     cancelled.
//  4. What a Reader returned is what the Writer was given, in the same order, or it returned an error.
//
// Layout of the file and of transfers: docs/format/shuffle.md. The other end of a transfer: package transfer.
package shuffle
