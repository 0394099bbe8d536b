package shuffle

import (
	"encoding/binary"
	"fmt"
)

const (
	footerMagic   = 0x494c5346 // "FSLI" in little-endian order
	footerVersion = 1
	footerBytes   = 32
)

// footer is the last thing in a file: it says where the index is.
type footer struct {
	offset int64 // of the index
	length int64 // of the index
	crc    uint32
}

func (f footer) appendTo(dst []byte) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, footerMagic)
	dst = binary.LittleEndian.AppendUint32(dst, footerVersion)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.offset))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.length))
	dst = binary.LittleEndian.AppendUint32(dst, f.crc)
	return binary.LittleEndian.AppendUint32(dst, checksum(dst[start:]))
}

// parseFooter reads the footer of a file of the given size from its last bytes.
func parseFooter(b []byte, size int64) (footer, error) {
	if len(b) != footerBytes || binary.LittleEndian.Uint32(b) != footerMagic {
		return footer{}, fmt.Errorf("%w: no footer", errIndex)
	}
	if checksum(b[:28]) != binary.LittleEndian.Uint32(b[28:]) {
		return footer{}, fmt.Errorf("%w: footer checksum", errIndex)
	}
	if v := binary.LittleEndian.Uint32(b[4:]); v != footerVersion {
		return footer{}, fmt.Errorf("%w: version %d, known is %d", errIndex, v, footerVersion)
	}
	f := footer{
		offset: int64(binary.LittleEndian.Uint64(b[8:])),
		length: int64(binary.LittleEndian.Uint64(b[16:])),
		crc:    binary.LittleEndian.Uint32(b[24:]),
	}
	if f.offset < 0 || f.length < 0 || f.offset > size-footerBytes || f.length != size-footerBytes-f.offset {
		return footer{}, fmt.Errorf("%w: footer of another file", errIndex)
	}
	return f, nil
}
