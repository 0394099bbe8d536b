package local

import "testing"

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "1000": 1000, "64k": 64 << 10, "512MiB": 512 << 20, "2GB": 2e9, "1.5 GB": 15e8, " 3 tib ": 3 << 40, "10b": 10,
		"": 0, "MiB": 0, "0": 0, "-1": 0, "0.1": 0, "nan": 0, "inf": 0, "1e30": 0, "12 apples": 0,
	} {
		got, err := ParseSize(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
}
