package replica

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"google.golang.org/protobuf/proto"

	"fletch/api"
)

// A snapshot is a header, records in frames, and an end mark. Each frame's checksum goes on from the one before, so that
// a frame that is missing, doubled or out of place is found as damage is.
const (
	snapshotMagic  = "FLETCHSN"
	snapshotHeader = len(snapshotMagic) + 4 // and the version
	frameHeader    = 8                      // length and checksum of a record
	maxRecordBytes = 64 << 20
)

// frameWriter writes a snapshot's records.
type frameWriter struct {
	to      *bufio.Writer
	sum     uint32
	records uint64
	bytes   int64
	buf     []byte
}

func newFrameWriter(to io.Writer) (*frameWriter, error) {
	w := &frameWriter{to: bufio.NewWriterSize(to, 256<<10)}
	header := binary.LittleEndian.AppendUint32([]byte(snapshotMagic), format)
	_, err := w.to.Write(header)
	w.sum, w.bytes = crc32.Checksum(header, castagnoli), int64(len(header))
	return w, err
}

func (w *frameWriter) write(r *api.SnapshotRecord) error {
	frame, err := proto.MarshalOptions{}.MarshalAppend(append(w.buf[:0], make([]byte, frameHeader)...), r)
	if err != nil {
		return fmt.Errorf("encode a record: %w", err)
	}
	w.buf = frame
	length := len(frame) - frameHeader
	if length > maxRecordBytes {
		return fmt.Errorf("a record of %d bytes: the limit is %d", length, maxRecordBytes)
	}
	binary.LittleEndian.PutUint32(frame, uint32(length))
	w.sum = crc32.Update(w.sum, castagnoli, frame[:4])
	w.sum = crc32.Update(w.sum, castagnoli, frame[frameHeader:])
	binary.LittleEndian.PutUint32(frame[4:], w.sum)
	w.records++
	w.bytes += int64(len(frame))
	_, err = w.to.Write(frame)
	return err
}

// end writes the end mark.
func (w *frameWriter) end() error {
	mark := &api.SnapshotRecord{Record: &api.SnapshotRecord_End_{End: &api.SnapshotRecord_End{Records: w.records}}}
	if err := w.write(mark); err != nil {
		return err
	}
	return w.to.Flush()
}

// frameReader reads what a frameWriter has written.
type frameReader struct {
	from    *bufio.Reader
	sum     uint32
	records uint64
	bytes   int64
}

func newFrameReader(from io.Reader) (*frameReader, error) {
	r := &frameReader{from: bufio.NewReaderSize(from, 256<<10)}
	header := make([]byte, snapshotHeader)
	if _, err := io.ReadFull(r.from, header); err != nil {
		return nil, cutOff(err)
	}
	if string(header[:len(snapshotMagic)]) != snapshotMagic {
		return nil, fmt.Errorf("it does not begin as a snapshot does: %w", errDamaged)
	}
	if v := binary.LittleEndian.Uint32(header[len(snapshotMagic):]); v != format {
		return nil, versionError(int(v))
	}
	r.sum, r.bytes = crc32.Checksum(header, castagnoli), int64(len(header))
	return r, nil
}

// next returns the next record, nil after the last one. Only then is the snapshot known to be whole.
func (r *frameReader) next() (*api.SnapshotRecord, error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r.from, header[:]); err != nil {
		return nil, cutOff(err)
	}
	length := binary.LittleEndian.Uint32(header[:])
	if length > maxRecordBytes {
		return nil, errDamaged
	}
	payload, err := readExactly(r.from, int(length))
	if err != nil {
		return nil, cutOff(err)
	}
	r.sum = crc32.Update(r.sum, castagnoli, header[:4])
	r.sum = crc32.Update(r.sum, castagnoli, payload)
	if r.sum != binary.LittleEndian.Uint32(header[4:]) {
		return nil, errDamaged
	}
	record := new(api.SnapshotRecord)
	if err := proto.Unmarshal(payload, record); err != nil {
		return nil, fmt.Errorf("decode a record: %w", err)
	}
	r.bytes += int64(len(header) + len(payload))
	if end := record.GetEnd(); end != nil {
		return nil, r.checkEnd(end)
	}
	r.records++
	return record, nil
}

func (r *frameReader) checkEnd(end *api.SnapshotRecord_End) error {
	if end.GetRecords() != r.records {
		return fmt.Errorf("it has %d records of %d: %w", r.records, end.GetRecords(), errDamaged)
	}
	if _, err := r.from.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.Join(fmt.Errorf("it goes on after its end mark: %w", errDamaged), err)
	}
	return nil
}

// readExactly reads n bytes, and takes memory as they arrive: a damaged length must not cost more than the bytes there are.
func readExactly(from io.Reader, n int) ([]byte, error) {
	const step = 1 << 20
	var out []byte
	for len(out) < n {
		piece := make([]byte, min(step, n-len(out)))
		if _, err := io.ReadFull(from, piece); err != nil {
			return nil, err
		}
		out = append(out, piece...)
	}
	return out, nil
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it is cut off: %w", errDamaged)
	}
	return err
}
