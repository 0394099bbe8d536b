package plugins

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// header is what the first bytes of a shared object tell.
type header struct {
	machine string // as GOARCH has it
	end     int64  // of the last table that it names: the least size of the file
}

var machines = map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}

// readHeader reads the header of a shared object of this kind of machine: ELF, 64 bits, little-endian.
func readHeader(f io.ReaderAt, size int64) (header, error) {
	var h elf.Header64
	text := make([]byte, min(size, int64(binary.Size(h))))
	if _, err := f.ReadAt(text, 0); err != nil {
		return header{}, err
	}
	if !bytes.HasPrefix(text, []byte(elf.ELFMAG)) {
		return header{}, errors.New("it is no shared object, as a plugin is")
	}
	if err := binary.Read(bytes.NewReader(text), binary.LittleEndian, &h); err != nil {
		return header{}, errors.New("it ends within its first bytes")
	}
	if class, data := elf.Class(h.Ident[elf.EI_CLASS]), elf.Data(h.Ident[elf.EI_DATA]); class != elf.ELFCLASS64 || data != elf.ELFDATA2LSB {
		return header{}, fmt.Errorf("it is for other machines (%v, %v)", class, data)
	}
	if t := elf.Type(h.Type); t != elf.ET_DYN {
		return header{}, fmt.Errorf("it is no shared object, as a plugin is, but of type %v", t)
	}
	machine, ok := machines[elf.Machine(h.Machine)]
	if !ok {
		machine = elf.Machine(h.Machine).String()
	}
	end := max(tableEnd(h.Shoff, h.Shentsize, h.Shnum), tableEnd(h.Phoff, h.Phentsize, h.Phnum))
	return header{machine, end}, nil
}

// tableEnd is where a table of the header ends.
func tableEnd(offset uint64, entryBytes, entries uint16) int64 {
	if offset > math.MaxInt64/2 {
		return math.MaxInt64
	}
	return int64(offset) + int64(entryBytes)*int64(entries)
}
