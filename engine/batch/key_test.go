package batch_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"fletch/engine/batch"
)

func keyer[K any](t testing.TB) *batch.Keyer[K] {
	t.Helper()
	k, err := batch.KeyerOf[K]()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func hash[K any](k *batch.Keyer[K], key K) uint64 {
	var v batch.Vector
	k.Normalise(&v, &key, 0, 1)
	return v.Words[0].Hash
}

// checkOrder holds the encoded order of drawn keys against compare, and decodes each.
func checkOrder[K any](t *testing.T, draw *rapid.Generator[K], compare func(a, b K) int) {
	t.Helper()
	k := keyer[K](t)
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		x, y := k.Append(nil, &a), k.Append(nil, &b)
		want := compare(a, b)
		if got := bytes.Compare(x, y); got != want {
			t.Fatalf("%v with %v: %d by their bytes, want %d", a, b, got, want)
		}
		if back := k.Decode(string(x)); compare(back, a) != 0 {
			t.Fatalf("%v came back as %v", a, back)
		}
		var v batch.Vector
		keys := []K{a, b}
		k.Normalise(&v, &keys[0], unsafe.Sizeof(a), len(keys))
		if got := batch.HashBytes(x); got != v.Words[0].Hash {
			t.Fatalf("the hash of %v is %x by its bytes, %x by its words", a, got, v.Words[0].Hash)
		}
		if same := v.Words[0] == v.Words[1] && v.Long[0] == v.Long[1]; same != (want == 0) {
			t.Fatalf("%v and %v have the words %x and %q", a, b, v.Words, v.Long)
		}
	})
}

func TestKeyOrder(t *testing.T) {
	texts := rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 'b', 255}), 0, 20).Draw(t, "text"))
	})
	t.Run("string", func(t *testing.T) { checkOrder(t, texts, strings.Compare) })
	t.Run("bytes", func(t *testing.T) {
		checkOrder(t, rapid.Map(texts, func(s string) []byte { return []byte(s) }), bytes.Compare)
	})
	t.Run("bool", func(t *testing.T) {
		checkOrder(t, rapid.Bool(), func(a, b bool) int { return cmp.Compare(rank(a), rank(b)) })
	})
	t.Run("int", func(t *testing.T) { checkOrder(t, rapid.Int(), cmp.Compare[int]) })
	t.Run("int8", func(t *testing.T) { checkOrder(t, rapid.Int8(), cmp.Compare[int8]) })
	t.Run("int32", func(t *testing.T) { checkOrder(t, rapid.Int32(), cmp.Compare[int32]) })
	t.Run("uint16", func(t *testing.T) { checkOrder(t, rapid.Uint16(), cmp.Compare[uint16]) })
	t.Run("uint64", func(t *testing.T) { checkOrder(t, rapid.Uint64(), cmp.Compare[uint64]) })
	t.Run("float64", func(t *testing.T) {
		checkOrder(t, rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Copysign(0, -1), 0, math.Inf(1)})), nanLast[float64])
	})
	t.Run("float32", func(t *testing.T) {
		checkOrder(t, rapid.OneOf(rapid.Float32(), rapid.SampledFrom([]float32{float32(math.NaN()), 0})), nanLast[float32])
	})
	t.Run("time", func(t *testing.T) {
		checkOrder(t, rapid.Map(rapid.Int64Range(-1e12, 1e12), func(n int64) time.Time { return time.Unix(n/7, n%1000) }), time.Time.Compare)
	})
	t.Run("strings", func(t *testing.T) {
		checkOrder(t, rapid.SliceOfN(texts, 0, 3), slices.Compare[[]string])
	})
	t.Run("array", func(t *testing.T) {
		checkOrder(t, rapid.Custom(func(t *rapid.T) [2]string { return [2]string{texts.Draw(t, "0"), texts.Draw(t, "1")} }),
			func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	})
	type pair struct {
		Text string
		N    int16
		Opt  batch.Optional[uint8]
	}
	t.Run("struct", func(t *testing.T) {
		checkOrder(t, rapid.Custom(func(t *rapid.T) pair {
			p := pair{Text: texts.Draw(t, "text"), N: rapid.Int16Range(-2, 2).Draw(t, "n")}
			if rapid.Bool().Draw(t, "some") {
				p.Opt = batch.Some(rapid.Uint8Range(0, 2).Draw(t, "opt"))
			}
			return p
		}), func(a, b pair) int {
			return cmp.Or(strings.Compare(a.Text, b.Text), cmp.Compare(a.N, b.N),
				cmp.Compare(rank(a.Opt.Valid), rank(b.Opt.Valid)), cmp.Compare(a.Opt.Value, b.Opt.Value))
		})
	})
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

func nanLast[F cmp.Ordered](a, b F) int {
	if n := cmp.Compare(rank(a != a), rank(b != b)); n != 0 || a != a {
		return n
	}
	return cmp.Compare(a, b)
}

// TestHashIsFixed guards the partition of every key: a change of these needs a new HashVersion.
func TestHashIsFixed(t *testing.T) {
	if batch.HashVersion != 1 {
		t.Fatal("write the hashes of the new version here")
	}
	text := keyer[string](t)
	for key, want := range map[string]uint64{
		"":                                  0xf9c66db5e2a3e688,
		"a":                                 0x3c63f70267f1fac1,
		"fletch":                            0x90bafd59b76b9c43,
		"exactly 15 byte":                   0xc9ee1804aca37cb3,
		"exactly 16 bytes":                  0x23c833a0c4dc4233,
		"more than thirty-two bytes of key": 0x7eadc66b8b021ab8,
	} {
		if got := hash(text, key); got != want {
			t.Errorf("hash of %q is %#x, want %#x", key, got, want)
		}
	}
	n := keyer[int](t)
	key := -42
	if got, want := hash(n, key), uint64(0x9bcdda0110fd0f48); got != want {
		t.Errorf("hash of %d is %#x, want %#x", key, got, want)
	}
}

// TestHashSpreads draws keys that differ in one byte or in their length and wants even partitions.
func TestHashSpreads(t *testing.T) {
	const keys, parts = 1 << 16, 64
	shapes := map[string]func(i int) string{
		"digits": func(i int) string {
			return string([]byte{byte('0' + i/10000%10), byte('0' + i/1000%10), byte('0' + i/100%10), byte('0' + i/10%10), byte('0' + i%10), byte(i >> 13)})
		},
		"zeroes": func(i int) string { return string([]byte{byte(i), byte(i >> 8), 0, 0, 0, 0, 0, 0, 0, 0}) },
		"long":   func(i int) string { return "a common beginning of the key " + string([]byte{byte(i), byte(i >> 8)}) },
		"tails":  func(i int) string { return string([]byte{byte(i), byte(i >> 8)}) + " and a common end of the key" },
	}
	k := keyer[string](t)
	for name, shape := range shapes {
		var low, high [parts]int
		for i := range keys {
			key := shape(i)
			h := hash(k, key)
			low[batch.Partition(h, parts)]++
			high[h>>58]++
		}
		for i := range parts {
			for _, n := range []int{low[i], high[i]} {
				if n < keys/parts*8/10 || n > keys/parts*12/10 {
					t.Errorf("%s: bucket %d has %d keys, want about %d", name, i, n, keys/parts)
				}
			}
		}
	}
}

// TestHashWithAZeroFactor makes keys for which a product within the hash is zero whatever follows: they differ all the
// same.
func TestHashWithAZeroFactor(t *testing.T) {
	const secret0 = 0xa0761d6478bd642f
	k := keyer[string](t)
	short := string(binary.LittleEndian.AppendUint64(nil, secret0))
	first := string(binary.LittleEndian.AppendUint64(nil, secret0^48^0x8ebc6af09c88c6e3)) // the seed of 48 bytes
	seen := map[uint64]string{}
	for i := range 1000 {
		tail := fmt.Sprintf("%07d", i)
		for _, key := range []string{short + tail, first + tail + strings.Repeat("x", 33)} {
			h := hash(k, key)
			if other, ok := seen[h]; ok {
				t.Fatalf("%q and %q have the hash %#x", key, other, h)
			}
			seen[h] = key
		}
	}
}

func TestKeyWithoutOrder(t *testing.T) {
	if _, err := batch.KeyerOf[map[string]int](); err == nil || !strings.Contains(err.Error(), "no order for a key") {
		t.Errorf("error %v, want one that says the key has no order", err)
	}
}

func TestDecodedStringIsAView(t *testing.T) {
	type text string
	k := keyer[text](t)
	encoded := "a long enough string to be on the heap"
	if got := k.Decode(encoded); !reflect.DeepEqual(got, text(encoded)) {
		t.Errorf("got %q", got)
	}
}
