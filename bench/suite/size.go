package suite

import (
	"fmt"
	"strconv"
	"strings"
)

var units = []struct {
	name  string
	bytes int64
}{{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}}

// ParseSize reads a size such as 250MB or 1.5GB; a unit is a power of 1000.
func ParseSize(s string) (int64, error) {
	for _, unit := range units {
		digits, ok := strings.CutSuffix(strings.ToUpper(s), unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil || !(n > 0) || n*float64(unit.bytes) > 1e15 {
			break
		}
		return int64(n * float64(unit.bytes)), nil
	}
	return 0, fmt.Errorf("size %q: want a number and a unit of B, KB, MB or GB, such as 250MB", s)
}

// size is the text of a size.
func size(bytes int64) string {
	for _, unit := range units {
		if bytes >= unit.bytes {
			return fmt.Sprintf("%g %s", float64(bytes)/float64(unit.bytes), unit.name)
		}
	}
	return "0 B"
}
