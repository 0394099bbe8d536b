// Package attempt runs one attempt at a task: it is where the engine, the shuffle and storage meet. It plugs the blocks
// (of this machine and of other workers) or files that the task reads, and the shuffle file and parts that it writes, into
// the stage's operators.
//
//	split of a source --> format's Reader --+                                +--> shuffle.Port   (one file a task)
//	                                        +--> exec.Program.Run: the -->---+
//	blocks of an exchange --> shuffle.Reader +   stage's fused operators      +--> format's Writer --> storage.PartWriter
//	(partition by partition)                             ^                         (one part a partition)
//	                                                     |
//	blocks of its sides, each exchange whole --> exec.Task.Side
//
// A meet has two exchanges side by side, and a shuffle.Reader for each.
//
// An attempt ends in one of two ways: everything that it wrote is committed under the attempt's name and described by
// its plan.Result, or it is discarded. Which attempt of a task counts is decided elsewhere.
package attempt
