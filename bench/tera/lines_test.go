package tera

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"testing"
)

func linesOf(t *testing.T, c Config) []byte {
	t.Helper()
	file, err := File(c)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := file.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestLinesAreNumberedAndOfOneShape(t *testing.T) {
	shape := regexp.MustCompile(`^[ -~]{10}  ([0-9A-F]{32})  [A-P]{53}\n$`)
	for _, lines := range []int64{0, 1, chunkLines - 1, chunkLines, 2*chunkLines + 1} {
		text := linesOf(t, Config{Lines: lines})
		if int64(len(text)) != lines*LineBytes {
			t.Fatalf("%d lines have %d bytes", lines, len(text))
		}
		for i := range lines {
			line := text[i*LineBytes:][:LineBytes]
			match := shape.FindSubmatch(line)
			if match == nil {
				t.Fatalf("line %d of %d: %q", i, lines, line)
			}
			if number, err := strconv.ParseInt(string(match[1]), 16, 64); err != nil || number != i {
				t.Fatalf("line %d of %d: %q", i, lines, line)
			}
		}
	}
}

func TestLinesDependOnTheSeed(t *testing.T) {
	c := Config{Lines: 2*chunkLines + 1, Seed: 7}
	first := linesOf(t, c)
	if !bytes.Equal(linesOf(t, c), first) {
		t.Error("the same seed gives other lines")
	}
	c.Seed++
	if bytes.Equal(linesOf(t, c), first) {
		t.Error("the seed does not change the lines")
	}
}

func TestKeysAreUniform(t *testing.T) {
	const lines, characters = 100_000, '~' - ' ' + 1
	text := linesOf(t, Config{Lines: lines, Seed: 1})
	var counts [KeyBytes][characters]int
	keys := map[[KeyBytes]byte]bool{}
	for i := range lines {
		key := [KeyBytes]byte(text[i*LineBytes:])
		keys[key] = true
		for at, c := range key {
			counts[at][c-' ']++
		}
	}
	want := float64(lines) / characters
	for at := range counts {
		for c, n := range counts[at] {
			if math.Abs(float64(n)-want) > 6*math.Sqrt(want) {
				t.Errorf("%q stands at place %d of %d keys, want about %.0f", ' '+byte(c), at, n, want)
			}
		}
	}
	if len(keys) != lines {
		t.Errorf("%d keys are distinct, of %d", len(keys), lines)
	}
}

func TestConfigIsValidated(t *testing.T) {
	if _, err := File(Config{Lines: -1}); err == nil {
		t.Error("a negative number of lines is no error")
	}
}
