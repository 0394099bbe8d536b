package attempt

// A process divides its memory: half is the pool that attempts take from, a fifth is for blocks of the shuffle. What is left
// is for what nobody counts: the program, values of user code, and garbage.

// PoolBytes returns how much of so many bytes is the pool of a process.
func PoolBytes(memory int64) int64 { return memory / 2 }

// BlockBytes returns how much of so many bytes holds blocks of the shuffle. Beyond a moderate size they are as fast in
// files, which the kernel caches in memory that nobody else needs.
func BlockBytes(memory int64) int64 { return min(memory/5, 128<<20) }
