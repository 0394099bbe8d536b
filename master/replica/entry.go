package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"google.golang.org/protobuf/proto"

	"fletch/api"
	"fletch/master/state"
)

// An entry of the log is a version, a checksum of the rest, and a LogEntry: one or more commands. The checksum goes with
// the entry from the leader's memory to each machine that applies it.
const (
	entryVersion = format
	entryHeader  = 1 + crc32.Size
)

// The caps on an entry. raft-wal reads no record of more than 64 MiB.
const (
	maxEntryBytes = 48 << 20  // one command of this size is refused
	packBytes     = 128 << 10 // commands are packed up to about this size
	packCommands  = 512
)

// encodeCommand returns the command as a LogEntry by itself. Entries put one after the other are an entry with the
// commands of all: so protobuf defines repeated fields.
func encodeCommand(c state.Command) ([]byte, error) {
	m, err := commandOf(c)
	if err != nil {
		return nil, err
	}
	// What can't be read back may not enter the log: it would stop every replica.
	if _, err := stateCommand(m); err != nil {
		return nil, fmt.Errorf("encode a command: %w", err)
	}
	payload, err := proto.Marshal(&api.LogEntry{Commands: []*api.LogCommand{m}})
	if err != nil {
		return nil, fmt.Errorf("encode a command: %w", err)
	}
	if len(payload) > maxEntryBytes {
		return nil, fmt.Errorf("%w: it takes %d bytes, and the limit is %d", ErrTooLarge, len(payload), maxEntryBytes)
	}
	return payload, nil
}

// encodeEntry returns an entry with the commands of all payloads.
func encodeEntry(payloads ...[]byte) []byte {
	size := entryHeader
	for _, p := range payloads {
		size += len(p)
	}
	entry := make([]byte, entryHeader, size)
	for _, p := range payloads {
		entry = append(entry, p...)
	}
	entry[0] = entryVersion
	binary.LittleEndian.PutUint32(entry[1:], crc32.Checksum(entry[entryHeader:], castagnoli))
	return entry
}

// checkEntry returns an entry's payload.
func checkEntry(entry []byte) ([]byte, error) {
	if len(entry) < entryHeader {
		return nil, fmt.Errorf("an entry of %d bytes is cut off", len(entry))
	}
	if v := entry[0]; v != entryVersion {
		return nil, versionError(int(v))
	}
	if crc32.Checksum(entry[entryHeader:], castagnoli) != binary.LittleEndian.Uint32(entry[1:]) {
		return nil, errDamaged
	}
	return entry[entryHeader:], nil
}

// decodeEntry returns an entry's commands.
func decodeEntry(entry []byte) ([]state.Command, error) {
	payload, err := checkEntry(entry)
	if err != nil {
		return nil, err
	}
	var m api.LogEntry
	if err := proto.Unmarshal(payload, &m); err != nil {
		return nil, fmt.Errorf("decode an entry: %w", err)
	}
	commands := make([]state.Command, len(m.GetCommands()))
	for i, c := range m.GetCommands() {
		if commands[i], err = stateCommand(c); err != nil {
			return nil, fmt.Errorf("command %d: %w", i, err)
		}
	}
	return commands, nil
}

func versionError(have int) error {
	if have > format {
		return fmt.Errorf("it is of format %d, written by a newer version of fletch: this one reads format %d; run the newer one", have, format)
	}
	return fmt.Errorf("it is of format %d: this version of fletch reads format %d", have, format)
}

// errUnknownKind means that a message has none of the kinds that this version knows.
var errUnknownKind = errors.New("it is of an unknown kind, as a newer version of fletch may write: run the newer one")
