package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"fletch/api"
)

// snapshotsKept is how many snapshots stay on the disk: one may be on its way to a follower when the next is written.
const snapshotsKept = 2

// maxMetaBytes caps what raft wants to know of a snapshot: the members take most of it.
const maxMetaBytes = 1 << 20

const snapshotSuffix = ".snapshot"

// snapshots are the files of a directory, as a raft.SnapshotStore: each a frame with what raft knows of the snapshot,
// then the records of the state. A file appears under its name once all of it is on the disk and has been checked.
type snapshots struct{ dir string }

// openSnapshots makes the directory, and removes what a crash left unfinished.
func openSnapshots(dir string) (*snapshots, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	unfinished, err := filepath.Glob(filepath.Join(dir, "*"+snapshotSuffix+".tmp"))
	if err != nil {
		return nil, err
	}
	for _, name := range unfinished {
		if err := os.Remove(name); err != nil {
			return nil, err
		}
	}
	return &snapshots{dir: dir}, nil
}

// snapshotName orders the files as raft orders snapshots.
func snapshotName(index, term uint64) string {
	return fmt.Sprintf("%020d-%020d%s", term, index, snapshotSuffix)
}

// Create implements raft.SnapshotStore.
func (s *snapshots) Create(_ raft.SnapshotVersion, index, term uint64, members raft.Configuration, membersIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	meta := &api.SnapshotMeta{Index: index, Term: term, Members: raft.EncodeConfiguration(members), MembersIndex: membersIndex}
	payload, err := proto.Marshal(meta)
	if err != nil {
		return nil, err
	}
	frame := binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))
	frame = binary.LittleEndian.AppendUint32(frame, crc32.Checksum(payload, castagnoli))
	return newSink(s, snapshotName(index, term), append(frame, payload...))
}

// List implements raft.SnapshotStore: the newest first. One that can't be read is an error, as an older one in its place
// would need entries of the log that are gone.
func (s *snapshots) List() ([]*raft.SnapshotMeta, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	var list []*raft.SnapshotMeta
	for _, name := range names {
		meta, content, err := s.Open(name)
		if err != nil {
			return nil, err
		}
		if err := content.Close(); err != nil {
			return nil, err
		}
		list = append(list, meta)
	}
	return list, nil
}

// names returns the files, the newest first.
func (s *snapshots) names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), snapshotSuffix) {
			names = append(names, e.Name())
		}
	}
	slices.Reverse(names)
	return names, nil
}

// Open implements raft.SnapshotStore. What the reader yields is checked by who reads it.
func (s *snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	f, err := os.Open(filepath.Join(s.dir, id))
	if err != nil {
		return nil, nil, err
	}
	meta, err := readMeta(f)
	if err == nil && snapshotName(meta.Index, meta.Term) != id {
		err = errDamaged
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read snapshot %s: %w", f.Name(), err), f.Close())
	}
	meta.ID = id
	return meta, f, nil
}

// readMeta reads up to the snapshot's content.
func readMeta(f *os.File) (*raft.SnapshotMeta, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var header [frameHeader]byte
	if _, err := io.ReadFull(f, header[:]); err != nil {
		return nil, cutOff(err)
	}
	length := binary.LittleEndian.Uint32(header[:])
	if length > maxMetaBytes {
		return nil, errDamaged
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(f, payload); err != nil {
		return nil, cutOff(err)
	}
	if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(header[4:]) {
		return nil, errDamaged
	}
	var m api.SnapshotMeta
	if err := proto.Unmarshal(payload, &m); err != nil {
		return nil, fmt.Errorf("decode what raft knows of it: %w", err)
	}
	return &raft.SnapshotMeta{
		Version: raft.SnapshotVersionMax, Index: m.GetIndex(), Term: m.GetTerm(),
		Configuration: raft.DecodeConfiguration(m.GetMembers()), ConfigurationIndex: m.GetMembersIndex(),
		Size: info.Size() - int64(frameHeader) - int64(length),
	}, nil
}

// reap removes all but the newest.
func (s *snapshots) reap() error {
	names, err := s.names()
	if err != nil {
		return err
	}
	for _, name := range names[min(snapshotsKept, len(names)):] {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	return nil
}
