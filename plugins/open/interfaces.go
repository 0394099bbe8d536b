package open

import (
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
)

// interfaces makes the linker put method tables into this program: one for each pair of a type and an interface here.
//
// Code that asks which type an interface holds compares the address of such a table with the one that the compiler made for
// the pair. Where the program has none, the runtime makes one when it first converts such a value. If that happens before
// a plugin is opened that has a compiled one, there are two: a switch over the types in the plugin then finds none of its
// cases (Go issue 80107, closed as unfortunate). Later there is but one again, as the runtime finds the plugin's. So what
// matters are the pairs that the initialization of this program's packages converts; a test lists them.
var interfaces = []any{
	dataTypes,
	[]json.Unmarshaler{(*json.RawMessage)(nil)},
	[]fmt.Stringer{time.Duration(0)},
	[]io.ReadWriter{(*net.UnixConn)(nil)}, // what an executor is connected by
	[]io.WriterTo{(*strings.Reader)(nil)},
	[]fs.ReadDirFS{embed.FS{}},
	[]fs.ReadFileFS{embed.FS{}},
	[]syscall.Conn{(*net.UnixConn)(nil)},
}

var dataTypes = []arrow.DataType{
	(*arrow.NullType)(nil), (*arrow.BooleanType)(nil),
	(*arrow.Int8Type)(nil), (*arrow.Int16Type)(nil), (*arrow.Int32Type)(nil), (*arrow.Int64Type)(nil),
	(*arrow.Uint8Type)(nil), (*arrow.Uint16Type)(nil), (*arrow.Uint32Type)(nil), (*arrow.Uint64Type)(nil),
	(*arrow.Float16Type)(nil), (*arrow.Float32Type)(nil), (*arrow.Float64Type)(nil),
	(*arrow.StringType)(nil), (*arrow.LargeStringType)(nil), (*arrow.BinaryType)(nil), (*arrow.LargeBinaryType)(nil),
	(*arrow.FixedSizeBinaryType)(nil), (*arrow.Decimal128Type)(nil), (*arrow.Decimal256Type)(nil),
	(*arrow.Date32Type)(nil), (*arrow.Date64Type)(nil), (*arrow.Time32Type)(nil), (*arrow.Time64Type)(nil),
	(*arrow.TimestampType)(nil), (*arrow.DurationType)(nil),
	(*arrow.MonthIntervalType)(nil), (*arrow.DayTimeIntervalType)(nil), (*arrow.MonthDayNanoIntervalType)(nil),
	(*arrow.ListType)(nil), (*arrow.LargeListType)(nil), (*arrow.FixedSizeListType)(nil), (*arrow.StructType)(nil),
	(*arrow.MapType)(nil), (*arrow.DictionaryType)(nil), (*arrow.RunEndEncodedType)(nil),
	(*arrow.SparseUnionType)(nil), (*arrow.DenseUnionType)(nil),
}
