package report

import (
	"math"
	"testing"
)

func TestUnits(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{size(0), "0 B"},
		{size(850), "850 B"},
		{size(999), "999 B"},
		{size(1000), "1.0 kB"},
		{size(99_949), "99.9 kB"},
		{size(99_950), "100 kB"},
		{size(850_000), "850 kB"},
		{size(999_499), "999 kB"},
		{size(999_500), "1.0 MB"},
		{size(1_203_000_000), "1.2 GB"},
		{size(math.MaxInt64), "9.2 EB"},
		{size(-850), "-850 B"},
		{size(-1_500_000), "-1.5 MB"},
		{size(math.MinInt64), "-9.2 EB"},
		{quantity(0), "0"},
		{quantity(999), "999"},
		{quantity(1_000), "1.0 k"},
		{quantity(12_345_678), "12.3 M"},
		{quantity(2_000_000_000), "2.0 G"},
		{speed(1_203_000_000, 12.34), "97.5 MB/s"},
		{speed(4_000_000_000, 1), "4000 MB/s"},
		{speed(1, 1), "0.0 MB/s"},
		{speed(0, 1), ""},
		{speed(1, 0), ""},
		{duration(0), "0 s"},
		{duration(-1), "0 s"},
		{duration(0.0001), "<1 ms"},
		{duration(0.001), "1 ms"},
		{duration(0.340), "340 ms"},
		{duration(0.9994), "999 ms"},
		{duration(0.9995), "1.0 s"},
		{duration(12.34), "12.3 s"},
		{duration(59.94), "59.9 s"},
		{duration(59.95), "1m00s"},
		{duration(72.4), "1m12s"},
		{duration(3599.4), "59m59s"},
		{duration(3599.5), "1h00m"},
		{duration(7500), "2h05m"},
		{duration(360000), "100h00m"},
		{exact(0), "0"},
		{exact(999), "999"},
		{exact(1000), "1,000"},
		{exact(-100), "-100"},
		{exact(-1000), "-1,000"},
		{exact(1234567), "1,234,567"},
		{several(quantity(1), "row"), "1 row"},
		{several(quantity(0), "row"), "0 rows"},
		{several(quantity(12_300_000), "row"), "12.3 M rows"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
