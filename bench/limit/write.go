package limit

import (
	"bytes"
	"errors"
	"os"
	"strconv"
)

// writePart writes the words of a table and their counts as CSV.
func writePart(path string, t *table) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	const flushBytes = 256 << 10
	rows := append(make([]byte, 0, flushBytes+4<<10), "key,value\n"...)
	for i := range t.slots {
		s := &t.slots[i]
		if s.count == 0 {
			continue
		}
		rows = appendField(rows, s.word, t.text)
		rows = append(rows, ',')
		rows = strconv.AppendUint(rows, s.count, 10)
		rows = append(rows, '\n')
		if len(rows) >= flushBytes {
			if _, err := file.Write(rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
	}
	_, err = file.Write(rows)
	return err
}

// appendField quotes a word as RFC 4180 asks for; a word has no line ends.
func appendField(rows []byte, w word, text []byte) []byte {
	begin := len(rows)
	rows = w.append(rows, text)
	if field := rows[begin:]; bytes.ContainsAny(field, `",`) {
		quoted := append([]byte{'"'}, bytes.ReplaceAll(field, []byte{'"'}, []byte(`""`))...)
		rows = append(append(rows[:begin], quoted...), '"')
	}
	return rows
}
