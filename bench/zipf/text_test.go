package zipf

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"
)

func textOf(t *testing.T, c Config) string {
	t.Helper()
	file, err := File(c)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := file.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTextHasExactlyTheSizeAskedFor(t *testing.T) {
	for _, size := range []int64{0, 1, 2, 21, 22, 23, 1000, chunkBytes, chunkBytes + 1, 3*chunkBytes - 7} {
		text := textOf(t, Config{Bytes: size, Words: 100})
		if int64(len(text)) != size {
			t.Errorf("%d bytes, want %d", len(text), size)
		}
		if size > 0 && !strings.HasSuffix(text, "\n") {
			t.Errorf("text of %d bytes does not end its last line", size)
		}
	}
}

func TestTextDependsOnNothingButItsConfig(t *testing.T) {
	c := Config{Bytes: 3*chunkBytes + 100, Words: 1000, Seed: 7}
	first := textOf(t, c)
	if textOf(t, c) != first {
		t.Error("the same seed gives another text")
	}
	c.Seed++
	if textOf(t, c) == first {
		t.Error("the seed does not change the text")
	}
}

func TestWordsFollowZipfsLaw(t *testing.T) {
	const distinct = 1000
	counts := map[string]int{}
	words := strings.Fields(textOf(t, Config{Bytes: 4 << 20, Words: distinct, Seed: 1}))
	for _, w := range words {
		counts[w]++
	}
	harmonic := 0.0
	for k := 1; k <= distinct; k++ {
		harmonic += 1 / float64(k)
	}
	for k, w := range newVocabulary(distinct) {
		want := float64(len(words)) / harmonic / float64(k+1)
		got := float64(counts[string(w.letters[:w.size])])
		if math.Abs(got-want) > 6*math.Sqrt(want) {
			t.Errorf("the word of rank %d occurs %v times, want about %.0f", k+1, got, want)
		}
	}
	if len(counts) != distinct {
		t.Errorf("%d distinct words, want %d", len(counts), distinct)
	}
}

func TestLinesAreAboutEightyBytes(t *testing.T) {
	for line := range strings.Lines(textOf(t, Config{Bytes: chunkBytes})) {
		if len(line) > lineBytes+2*maxWordBytes {
			t.Fatalf("line of %d bytes: %q", len(line), line)
		}
	}
}

func TestConfigIsValidated(t *testing.T) {
	_, err := File(Config{Bytes: -1, Words: -1})
	if err == nil || !strings.Contains(err.Error(), "negative") || !strings.Contains(err.Error(), "at least one word") {
		t.Errorf("error %v names only some of the problems", err)
	}
}

func BenchmarkWrite(b *testing.B) {
	file, err := File(Config{Bytes: 64 << 20, Words: 1_000_000})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(64 << 20)
	for b.Loop() {
		if err := file.Write(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
