// Package spill keeps what an attempt's operators hold beyond their memory: runs of batches, in one file an attempt.
//
//	Writer.Write   batch -> frame -> buffer                 (bounded: one buffer fills while another is written)
//	   full        buffer -> an extent of the file           (on an I/O goroutine)
//	Close          a Run: where its extents stand
//	Reader.Next    the next piece of the extents, verified   (one piece ahead of the caller)
//	Drop           the extents are free for other runs
//
// # Who acts
//
// A File, its Writers, Runs and Readers belong to the attempt's coroutine. What touches the disk runs on the scheduler's I/O
// goroutines. Several runs may be written and read at once: their extents interleave.
//
// # Invariants
//
//  1. Nothing changes a buffer while an I/O goroutine writes it, even when the coroutine is cancelled: who is unwound leaves
//     the buffer to the write, and File.Close, which ends everything, joins it.
//  2. Bytes that were handed to frame.Decode are never changed or reused: a user's strings point into them.
//  3. An extent is given to another run only after its run was dropped. What still reads it then is never decoded.
//  4. What a Reader returned is what the Writer was given, in the same order, or it returned an error.
//
// The space of dropped runs is written again, as pages that the kernel has already cost a fraction of fresh ones. The file
// has no index: it ends with its attempt. Layout: docs/format/spill.md.
package spill
