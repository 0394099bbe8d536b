package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/fault/faulttest"
)

// tree makes files (with their names as content), directories (names that end in /) and symbolic links (name -> target).
func tree(t *testing.T, names ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		name, target, isLink := strings.Cut(name, " -> ")
		path := filepath.Join(root, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o777))
		switch {
		case isLink:
			must(t, os.Symlink(target, path))
		case strings.HasSuffix(name, "/"):
			must(t, os.MkdirAll(path, 0o777))
		default:
			must(t, os.WriteFile(path, []byte(name), 0o666))
		}
	}
	return root
}

func TestSplitsList(t *testing.T) {
	files := []string{
		"a.txt", "b.txt", ".hidden.txt", "c[1].txt", "logs/x.txt", "logs/deep/y.txt", "logs/deep/z.log", "empty/",
		"done/part-00000.txt", "done/_SUCCESS", ".done.fletch-j1/a.00000", "loop/in.txt", "loop/back -> ..", "loop/self -> .",
		"links/file -> ../a.txt", "links/dir -> ../logs/deep", "bad/gone -> nothing", "bad/here.txt", "round/self -> self",
	}
	for name, c := range map[string]struct {
		patterns []string
		want     string // names, or "error:" and words of the message
	}{
		"file":                    {[]string{"a.txt"}, "a.txt"},
		"file URL":                {[]string{"file://ROOT/a.txt"}, "a.txt"},
		"directory":               {[]string{"logs"}, "logs/deep/y.txt logs/deep/z.log logs/x.txt"},
		"directory with slash":    {[]string{"logs//deep/"}, "logs/deep/y.txt logs/deep/z.log"},
		"glob":                    {[]string{"*.txt"}, ".hidden.txt a.txt b.txt c[1].txt"},
		"literal name":            {[]string{"c[1].txt"}, "c[1].txt"},
		"escaped":                 {[]string{`c\[1\].*`}, "c[1].txt"},
		"glob of one level":       {[]string{"*/*.txt"}, "bad/here.txt done/part-00000.txt logs/x.txt loop/in.txt"},
		"double star":             {[]string{"logs/**/*.txt"}, "logs/deep/y.txt logs/x.txt"},
		"double star last":        {[]string{"logs/**"}, "logs/deep/y.txt logs/deep/z.log logs/x.txt"},
		"braces":                  {[]string{"{logs/deep,done}/*.txt"}, "done/part-00000.txt logs/deep/y.txt"},
		"overlap":                 {[]string{"b.txt", "*.txt", "./a.txt"}, ".hidden.txt a.txt b.txt c[1].txt"},
		"published output":        {[]string{"done"}, "done/part-00000.txt"},
		"links":                   {[]string{"links"}, "links/dir/y.txt links/dir/z.log links/file"},
		"missing":                 {[]string{"a.txt", "nope.txt"}, "error: nope.txt does not exist"},
		"missing below a file":    {[]string{"a.txt/x"}, "error: a.txt/x does not exist"},
		"no match":                {[]string{"*.csv"}, "error: no file matches *.csv"},
		"no directory":            {[]string{"nope/*.csv"}, "error: nope/*.csv nope does not exist"},
		"bad glob":                {[]string{"a[.txt"}, "error: a[.txt valid glob"},
		"empty directory":         {[]string{"empty"}, "error: empty holds no files"},
		"dangling link":           {[]string{"bad"}, "error: bad/gone symbolic link"},
		"circular link":           {[]string{"round"}, "error: round/self symbolic link"},
		"no name":                 {[]string{""}, "error: no name"},
		"relative file URL":       {[]string{"file://a.txt"}, "error: three slashes"},
		"unknown scheme":          {[]string{"s9://bucket/key"}, "error: s9:// import"},
		"what looks like a shell": {[]string{"a.txt b.txt"}, "error: a.txt b.txt does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, files...)
			t.Chdir(root)
			for i := range c.patterns {
				c.patterns[i] = strings.Replace(c.patterns[i], "ROOT", root, 1)
			}
			splits, err := Splits(context.Background(), c.patterns)
			if words, wantErr := strings.CutPrefix(c.want, "error: "); wantErr {
				faulttest.Want(t, err, fault.Permanent, strings.Fields(words)...)
				return
			}
			must(t, err)
			var got []string
			for _, s := range splits {
				for _, f := range s.Files {
					got = append(got, strings.TrimPrefix(f.Path, root+"/"))
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A directory link that leads upwards ends where it stands in itself.
func TestSplitsOfLoops(t *testing.T) {
	root := tree(t, "in.txt", "self -> .", "sub/up -> ..", "sub/in.txt")
	for _, pattern := range []string{root, root + "/**", root + "/**/in.txt"} {
		splits, err := Splits(context.Background(), []string{pattern})
		must(t, err)
		if n := len(splits[0].Files); n != 2 {
			t.Errorf("%s: %d files: %+v", pattern, n, splits[0].Files)
		}
	}
}

func TestSplitsOfSpecialFiles(t *testing.T) {
	root := tree(t, "a.txt")
	fifo := filepath.Join(root, "fifo")
	must(t, unix.Mkfifo(fifo, 0o666))
	_, err := Splits(context.Background(), []string{fifo})
	faulttest.Want(t, err, fault.Permanent, fifo, "named pipe")
	_, err = Splits(context.Background(), []string{"/dev/null"})
	faulttest.Want(t, err, fault.Permanent, "/dev/null", "device")
	splits, err := Splits(context.Background(), []string{root})
	must(t, err)
	if len(splits) != 1 || len(splits[0].Files) != 1 {
		t.Errorf("splits %+v", splits)
	}
	_, err = Open(context.Background(), fifo) // must not wait for a writer
	faulttest.Want(t, err, fault.Permanent, fifo, "named pipe")
}

// asNobody runs f in a thread that has no rights to files, whoever runs the test.
func asNobody(t *testing.T, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread dies with the goroutine
		if os.Getuid() == 0 {
			if err := syscall.Setfsuid(65534); err != nil {
				t.Error(err)
				return
			}
		}
		f()
	}()
	<-done
}

func TestUnreadable(t *testing.T) {
	root := tree(t, "open/a.txt", "open/closed.txt", "closed/a.txt")
	for _, dir := range []string{root, filepath.Dir(root), root + "/open"} {
		must(t, os.Chmod(dir, 0o755))
	}
	must(t, os.Chmod(root+"/open/closed.txt", 0))
	must(t, os.Chmod(root+"/closed", 0))
	asNobody(t, func() {
		_, err := Splits(context.Background(), []string{root + "/open"})
		faulttest.Want(t, err, fault.Permanent, "closed.txt", "permission")
		_, err = Splits(context.Background(), []string{root + "/open/closed.txt"})
		faulttest.Want(t, err, fault.Permanent, "closed.txt", "permission")
		_, err = Splits(context.Background(), []string{root + "/closed"})
		faulttest.Want(t, err, fault.Permanent, "closed", "permission")
		_, err = Open(context.Background(), root+"/open/closed.txt")
		faulttest.Want(t, err, fault.User, "closed.txt", "permission")
	})
}

func TestSplitsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("stop")
	cancel(stop)
	if _, err := Splits(ctx, []string{t.TempDir()}); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
}

func TestCutGolden(t *testing.T) {
	const mib = 1 << 20
	var all []string
	for i := range wantedSplits {
		all = append(all, fmt.Sprintf("[a@%d+8] 8", 8*i))
	}
	shares := strings.Join(all, "; ")
	for _, c := range []struct {
		name  string
		files []Info
		want  string // a split each: its files as name@offset+length in MiB, and its bytes
	}{
		{"nothing", nil, "[] 0"},
		{"empty files", []Info{{"a", 0}, {"b", 0}}, "[a@0+0 b@0+0] 0"},
		{"small file", []Info{{"a", 4 * mib}}, "[a@0+4] 4"},
		{"cut in half", []Info{{"a", 6 * mib}}, "[a@0+3] 3; [a@3+3] 3"},
		{"packed", []Info{{"a", 2 * mib}, {"b", 2 * mib}, {"c", mib}}, "[a@0+2 b@0+2] 4; [c@0+1] 1"},
		{"around a big one", []Info{{"a", mib}, {"b", 8 * mib}, {"c", mib}}, "[a@0+1] 1; [b@0+4] 4; [b@4+4] 4; [c@0+1] 1"},
		{"compressed", []Info{{"a.gz", 8 * mib}, {"b.zst", mib}}, "[a.gz@0+8] 32; [b.zst@0+1] 4"},
		{"equal shares", []Info{{"a", 8 * wantedSplits * mib}}, shares},
	} {
		splits, err := cut(c.files, maxSplits)
		must(t, err)
		var got []string
		for _, s := range splits {
			var files []string
			for _, f := range s.Files {
				files = append(files, fmt.Sprintf("%s@%d+%d", f.Path, f.Offset/mib, f.Length/mib))
			}
			got = append(got, fmt.Sprintf("%v %d", files, s.Bytes/mib))
		}
		if g := strings.Join(got, "; "); g != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, g, c.want)
		}
	}
}

// Every byte of every file stands in exactly one split, in order, whatever the sizes.
func TestCutCoversEveryByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.Int64Range(0, 1<<36), 0, 30).Draw(t, "sizes")
		small := rapid.Int64Range(0, 1<<20)
		var files []Info
		var total int64
		for i, size := range sizes {
			if rapid.Bool().Draw(t, "small") {
				size = small.Draw(t, "size")
			}
			f := Info{fmt.Sprintf("%03d%s", i, rapid.SampledFrom([]string{"", ".gz"}).Draw(t, "suffix")), size}
			files = append(files, f)
			total += plainBytes(f)
		}
		splits, err := cut(files, maxSplits)
		if err != nil {
			t.Fatal(err)
		}
		target := max(minSplitBytes, min(maxSplitBytes, total/wantedSplits))
		var got []plan.FileRange
		for _, s := range splits {
			full := slices.DeleteFunc(slices.Clone(s.Files), func(r plan.FileRange) bool { return r.Length == 0 })
			if s.Bytes > target && (len(full) != 1 || !isCompressed(full[0].Path)) {
				t.Fatalf("split of %d bytes where the target is %d: %+v", s.Bytes, target, s)
			}
			for _, r := range s.Files {
				if last := len(got) - 1; last >= 0 && got[last].Path == r.Path && !isCompressed(r.Path) {
					if r.Offset != got[last].Length {
						t.Fatalf("range %+v follows %+v", r, got[last])
					}
					got[last].Length += r.Length
					continue
				} else if r.Offset != 0 {
					t.Fatalf("the first range of %s begins at %d", r.Path, r.Offset)
				}
				got = append(got, r)
			}
		}
		for i, r := range got {
			if r.Path != files[i].Name || r.Length != files[i].Size || r.Size != files[i].Size {
				t.Fatalf("covered %+v of %+v", r, files[i])
			}
		}
		if len(got) != len(files) || len(splits) == 0 {
			t.Fatalf("%d files and %d splits of %d files", len(got), len(splits), len(files))
		}
	})
}

func TestCutLimit(t *testing.T) {
	_, err := cut([]Info{{"a", 1 << 62}, {"b.gz", 1 << 62}}, maxSplits)
	faulttest.Want(t, err, fault.Permanent, "1000000 splits")
	_, err = cut([]Info{{"a.gz", 5 << 20}, {"b.gz", 5 << 20}, {"c.gz", 5 << 20}}, 2)
	faulttest.Want(t, err, fault.Permanent, "2 splits")
}

func BenchmarkSplits(b *testing.B) {
	root := b.TempDir()
	const dirs, each = 100, 1000
	for d := range dirs {
		dir := filepath.Join(root, fmt.Sprint("d", d))
		if err := os.Mkdir(dir, 0o777); err != nil {
			b.Fatal(err)
		}
		for f := range each {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("f", f)), nil, 0o666); err != nil {
				b.Fatal(err)
			}
		}
	}
	for b.Loop() {
		splits, err := Splits(context.Background(), []string{root + "/**/f*"})
		if err != nil || len(splits[0].Files) != dirs*each {
			b.Fatal(splits, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*dirs*each), "ns/file")
}

func TestOpen(t *testing.T) {
	root := tree(t, "a.txt")
	splits, err := Splits(context.Background(), []string{root})
	must(t, err)
	r := splits[0].Files[0]
	f, err := OpenRange(context.Background(), r)
	must(t, err)
	text, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	must(t, err)
	if string(text) != "a.txt" || f.Size() != 5 {
		t.Errorf("read %q of %d bytes", text, f.Size())
	}
	must(t, f.Close())

	must(t, os.WriteFile(r.Path, []byte("longer now"), 0o666))
	_, err = OpenRange(context.Background(), r)
	faulttest.Want(t, err, fault.User, r.Path, "changed", "from 5 to 10 bytes")
	must(t, os.Remove(r.Path))
	_, err = OpenRange(context.Background(), r)
	faulttest.Want(t, err, fault.User, r.Path, "does not exist")
	_, err = Open(context.Background(), root)
	faulttest.Want(t, err, fault.Permanent, root, "directory")
}

// bucket is a provider of named strings.
type bucket map[string]string

type bucketFile struct{ *strings.Reader }

func (f bucketFile) Size() int64 { return f.Reader.Size() }
func (bucketFile) Close() error  { return nil }

func (b bucket) List(context.Context, string) ([]Info, error) {
	var files []Info
	for name, text := range b {
		files = append(files, Info{name, int64(len(text))})
	}
	return files, nil
}

func (b bucket) Open(_ context.Context, name string) (File, error) {
	return bucketFile{strings.NewReader(b[name])}, nil
}

func TestRegister(t *testing.T) {
	b := bucket{"bucket-1+x.y://b": "bee", "bucket-1+x.y://a": "a"}
	Register("bucket-1+x.y", b)
	defer func() { delete(providers.byScheme, "bucket-1+x.y") }()
	splits, err := Splits(context.Background(), []string{"bucket-1+x.y://*"})
	must(t, err)
	var names []string
	for _, r := range splits[0].Files {
		f, err := OpenRange(context.Background(), r)
		must(t, err)
		must(t, f.Close())
		names = append(names, r.Path)
	}
	if !slices.Equal(names, []string{"bucket-1+x.y://a", "bucket-1+x.y://b"}) {
		t.Errorf("files %v", names)
	}
	defer func() {
		if recover() == nil {
			t.Error("a scheme was registered twice")
		}
	}()
	Register("bucket-1+x.y", b)
}
