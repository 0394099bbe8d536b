package cli

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"strconv"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

// compress is the command
//
//	compress gzip|zstd FROM TO
func compress(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: compress gzip|zstd FROM TO")
	}
	var out bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&out)
	if args[0] == "zstd" {
		var err error
		w, err = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
		ts.Check(err)
	}
	_, err := io.WriteString(w, ts.ReadFile(args[1]))
	ts.Check(err)
	ts.Check(w.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), out.Bytes(), 0o666))
}

// damage is the command
//
//	damage cut|flip FILE OFFSET
//
// which cuts the file off at the offset, or inverts the byte there.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: damage cut|flip FILE OFFSET")
	}
	offset, err := strconv.Atoi(args[2])
	ts.Check(err)
	b := []byte(ts.ReadFile(args[1]))
	if offset >= len(b) {
		ts.Fatalf("%s has %d bytes", args[1], len(b))
	}
	if args[0] == "cut" {
		b = b[:offset]
	} else {
		b[offset] ^= 0xff
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o666))
}
