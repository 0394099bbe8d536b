package suite

import "fmt"

var units = []struct {
	name  string
	bytes int64
}{{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}}

// size is the text of a size of data.
func size(bytes int64) string {
	for _, unit := range units {
		if bytes >= unit.bytes {
			return fmt.Sprintf("%g %s", float64(bytes)/float64(unit.bytes), unit.name)
		}
	}
	return "0 B"
}

// memorySize is the text of a size of memory.
func memorySize(bytes int64) string {
	if bytes >= 1<<30 {
		return fmt.Sprintf("%g GiB", float64(bytes)/(1<<30))
	}
	return fmt.Sprintf("%g MiB", float64(bytes)/(1<<20))
}

// count is the text of a number of rows.
func count(n int64) string {
	if n >= 1e6 {
		return fmt.Sprintf("%.3g million", float64(n)/1e6)
	}
	return fmt.Sprint(n)
}
