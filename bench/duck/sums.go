package duck

import "fmt"

// Sums returns the query that sums up the numbers below rows by their keys, as the job jobs/sums does: number i has the
// key that i modulo keys has in the scattered order of the numbers below a prime.
func Sums(rows, keys int64) string {
	return fmt.Sprintf("select i %% %d * 2654435761 %% 4294967291 as key, sum(i) as value from range(%d) as numbers(i) group by key", keys, rows)
}
