package replica

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/hashicorp/raft"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged means that bytes on the disk are not those that were written.
var errDamaged = errors.New("it is damaged")

// seal returns an entry with a checksum in its Extensions, which raft leaves to stores. raft-wal checks no entry when it
// reads it, and the checksum within a command covers neither index and term nor what raft itself writes: members, say.
func seal(log *raft.Log) *raft.Log {
	sealed := *log
	sealed.Extensions = binary.LittleEndian.AppendUint32(nil, sealOf(log))
	return &sealed
}

// unseal checks an entry that seal has made, and takes the checksum out.
func unseal(log *raft.Log) error {
	if len(log.Extensions) != crc32.Size || binary.LittleEndian.Uint32(log.Extensions) != sealOf(log) {
		return errDamaged
	}
	log.Extensions = nil
	return nil
}

func sealOf(log *raft.Log) uint32 {
	var head [17]byte
	binary.LittleEndian.PutUint64(head[:], log.Index)
	binary.LittleEndian.PutUint64(head[8:], log.Term)
	head[16] = byte(log.Type)
	return crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, log.Data)
}
