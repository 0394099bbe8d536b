package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Memory returns the bytes that the trees of some processes take now: their resident memory, where pages of programs and
// libraries count in each process that maps them, and the memory files that they have open, once each and whether or not
// they are mapped. Processes that have ended take nothing.
func Memory(roots ...int) (bytes int64, err error) {
	files := memoryFiles{}
	for _, root := range roots {
		pids, err := Tree(root)
		if err != nil {
			return 0, err
		}
		for _, pid := range pids {
			s, err := StatusOf(pid)
			if gone(err) {
				continue
			}
			if err != nil {
				return 0, err
			}
			bytes += s.Resident - s.Shared
			if err := files.add(pid); err != nil {
				return 0, err
			}
		}
	}
	return bytes + files.bytes(), nil
}

// memoryFiles holds the sizes of memory files by inode: several processes may have the same one open.
type memoryFiles map[uint64]int64

// add finds those that a process has open.
func (m memoryFiles) add(pid int) error {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	open, err := os.ReadDir(dir)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, file := range open {
		path := filepath.Join(dir, file.Name())
		name, err := os.Readlink(path)
		if err != nil || !strings.HasPrefix(name, "/memfd:") {
			continue // of what is closed meanwhile as well
		}
		var s syscall.Stat_t
		if err := syscall.Stat(path, &s); err == nil {
			m[s.Ino] = s.Blocks * 512
		}
	}
	return nil
}

func (m memoryFiles) bytes() (sum int64) {
	for _, bytes := range m {
		sum += bytes
	}
	return sum
}
