package csvio

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Option says how Read takes files.
type Option func(*options)

type options struct {
	patterns  []string
	delimiter byte
	headless  bool
	err       error // what is wrong with them
}

func newOptions(pattern string, set []Option) *options {
	o := &options{patterns: []string{pattern}, delimiter: ','}
	for _, option := range set {
		option(o)
	}
	return o
}

// Delimiter makes c what stands between the fields of a record, in place of a comma: an ASCII character such as '\t', ';'
// or '|'.
func Delimiter(c rune) Option {
	return func(o *options) {
		if c <= 0 || c >= utf8.RuneSelf || c == '"' || c == '\n' || c == '\r' {
			o.err = errors.Join(o.err, fmt.Errorf("the delimiter is %q: it must be an ASCII character, and neither a quote nor one that ends a line", c))
		}
		o.delimiter = byte(c)
	}
}

// NoHeader says that the files have no header: their first record is one as any other, and the columns are taken in
// their order, the leftmost for the first field of T. A file may have more of them.
func NoHeader() Option { return func(o *options) { o.headless = true } }

// Also names more files, as the pattern of Read does. A file that is named twice is read once.
func Also(patterns ...string) Option {
	return func(o *options) { o.patterns = append(o.patterns, patterns...) }
}
