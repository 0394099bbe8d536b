// Package budget is the accountant: it grants the memory of one process, in bytes, to the attempts that run in it. A Pool
// has a limit and hands out Shares, one for each attempt; what an operator keeps, it takes from its attempt's Share first.
//
// # The rule
//
// With N shares joined, each may hold an Nth of the limit, so one that is alone may hold all of it; when others join, who
// holds more is refused from then on and spills. Each is sure of limit/(2*slots), where slots is how many shares may be
// joined at once: up to there a refused Take only means that others have not given back yet what they held before, so
// Await parks until they have. It is the rule of Apache Spark's ExecutionMemoryPool, with a fixed lower bound.
//
// Who is refused gives back memory of his own (he spills, or hands on what he has), or awaits his sure part. He never
// waits for more: whoever waits holds little, and whoever holds much does not wait, so nobody waits for ever.
package budget
