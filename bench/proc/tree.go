package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Tree returns a process and all that descend from it; one that has ended has none.
func Tree(pid int) ([]int, error) {
	pids := []int{pid}
	for i := 0; i < len(pids); i++ {
		children, err := childrenOf(pids[i])
		if err != nil {
			return nil, err
		}
		pids = append(pids, children...)
	}
	return pids, nil
}

// childrenOf asks each thread, as a child belongs to the one that started it.
func childrenOf(pid int) ([]int, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, file := range threads {
		text, err := os.ReadFile(file)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for child := range strings.FieldsSeq(string(text)) {
			n, err := strconv.Atoi(child)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			pids = append(pids, n)
		}
	}
	return pids, nil
}

// gone tells whether an error says that a process, thread or file is there no more.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}
