package frame

import "hash/crc32"

// BatchHeader returns the header of a frame with the given payload length, rows and checksum.
func BatchHeader(length, rows int, crc uint32) []byte {
	b := make([]byte, HeaderBytes)
	header{kind: kindBatch, length: length, rows: rows, crc: crc}.put(b)
	return b
}

// Mend gives the frames of a damaged stream checksums that agree, so that a test reaches what lies behind them.
func Mend(b []byte) {
	for len(b) >= HeaderBytes {
		h := header{kind: b[5]}
		h.length = min(int(uint32(b[8])|uint32(b[9])<<8|uint32(b[10])<<16|uint32(b[11])<<24), len(b)-HeaderBytes)
		h.rows = int(uint32(b[12]) | uint32(b[13])<<8 | uint32(b[14])<<16 | uint32(b[15])<<24)
		h.crc = crc32.Checksum(b[HeaderBytes:HeaderBytes+h.length], castagnoli)
		h.put(b)
		b = b[HeaderBytes+h.length:]
	}
}
