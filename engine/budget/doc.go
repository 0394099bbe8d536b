// Package budget is the accountant: it grants the memory of one process, in bytes, to the attempts that run in it. A Pool
// has a limit and hands out Shares, one for each attempt; what an operator keeps, it takes from its attempt's Share first.
//
// # The rule
//
// With N shares joined, each may hold an Nth of the limit, so one that is alone may hold all of it; when others join, who
// holds more is refused from then on and spills. At most Seats shares are joined at once: so many that each has 32 MiB, or
// one a core, that has 16 MiB. Further attempts wait for a seat. A share is sure of an equal part of all seats (Share.Sure): up
// to there a refused Take only means that others have not given back yet what they held before, so Await parks until they
// have. It is the rule of Apache Spark's ExecutionMemoryPool, with a bound on who takes part.
//
// Who is refused gives back memory of his own (he spills, or hands on what he has), or awaits his sure part. He never
// waits for more, so nobody waits for ever: if all who are joined waited, each would hold and want no more than his sure
// part, and these make up no more than the limit. So somebody who holds more is at work; what he holds can only shrink, as
// he is refused, and ends with his attempt.
//
// The limit falls when others begin to use the machine. What an attempt can't do without must not fail by that: who awaits
// more than the sure part that is left, and no more than such a part has been (Share.Most), is granted it at once, beyond the
// limit. It does not wait, so the argument holds.
//
// What is there already, or is small, is taken with Must: it may pass the limit, and is made up for by the refusals that
// follow. It does not change who waits for whom.
package budget
