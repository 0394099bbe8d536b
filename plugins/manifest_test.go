package plugins

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"
)

// object stands for the shared object before a manifest.
const object = "a shared object"

func manifestOf(t testing.TB) []byte {
	m := Manifest{
		Fletch: "v1", Package: "example.com/job", Root: "/fletch", ModuleCache: "/mod",
		Sources: map[string]string{"fletch/engine": "12", "fletch/local": "34"}, Size: int64(len(object)), SHA256: "56",
	}
	text, err := m.Append([]byte(object))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestManifest(t *testing.T) {
	file := manifestOf(t)
	m, err := readManifest(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	want := &Manifest{
		Format: 1, Fletch: "v1", Package: "example.com/job", Root: "/fletch", ModuleCache: "/mod",
		Sources: map[string]string{"fletch/engine": "12", "fletch/local": "34"}, Size: int64(len(object)), SHA256: "56",
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("read %+v, want %+v", m, want)
	}
	if again := manifestOf(t); !bytes.Equal(again, file) {
		t.Error("the same manifest has other bytes the second time")
	}
}

func TestManifestTooLarge(t *testing.T) {
	m := Manifest{Package: strings.Repeat("x", maxManifest)}
	if _, err := m.Append(nil); err == nil || !strings.Contains(err.Error(), "more than 1048576") {
		t.Errorf("a manifest of more than a MiB: %v", err)
	}
}

func TestManifestDamaged(t *testing.T) {
	file := manifestOf(t)
	length := func(n uint64) []byte {
		out := bytes.Clone(file)
		binary.LittleEndian.PutUint64(out[len(out)-footerBytes:], n)
		return out
	}
	text := file[len(object) : len(file)-footerBytes]
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "there is no manifest"},
		{"no footer", []byte(object), "there is no manifest"},
		{"cut", file[:len(file)-1], "there is no manifest"},
		{"longer than the file", length(uint64(len(file))), "length is"},
		{"longer than may be", length(maxManifest + 1), "want at most 1048576"},
		{"negative", length(1 << 63), "length is"},
		{"shorter than it is", length(uint64(len(text) - 1)), "read the manifest: invalid character"},
		{"none", length(0), "unexpected end of JSON"},
		{"other format", bytes.Replace(file, []byte(`"format":1`), []byte(`"format":2`), 1), "has format 2, this fletch reads 1"},
		{"other size before it", append([]byte("x"), file...), "of a shared object of 15 bytes, and stands behind one of 16"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := readManifest(bytes.NewReader(test.file), int64(len(test.file)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func FuzzManifest(f *testing.F) {
	whole := manifestOf(f)
	f.Add(whole)
	f.Add(whole[len(object):])
	f.Add(append([]byte("\x7fELF"), whole...))
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := readManifest(bytes.NewReader(file), int64(len(file)))
		if _, headerErr := readHeader(bytes.NewReader(file), int64(len(file))); headerErr == nil && len(file) < 64 {
			t.Errorf("the header of %d bytes was read", len(file))
		}
		if err != nil {
			return
		}
		if m.Size < 0 || m.Size > int64(len(file)) {
			t.Fatalf("a shared object of %d bytes in a file of %d", m.Size, len(file))
		}
		text, err := m.Append(bytes.Clone(file[:m.Size]))
		if err != nil {
			t.Fatal(err)
		}
		again, err := readManifest(bytes.NewReader(text), int64(len(text)))
		if err != nil || !sameManifest(m, again) {
			t.Errorf("read %+v, %v, want %+v", again, err, m)
		}
	})
}

// sameManifest compares; no sources are as good as an empty map.
func sameManifest(a, b *Manifest) bool {
	x, y := *a, *b
	if len(x.Sources) == 0 && len(y.Sources) == 0 {
		x.Sources, y.Sources = nil, nil
	}
	return reflect.DeepEqual(x, y)
}
