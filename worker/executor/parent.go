package executor

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Bind ties this process to its parent: the kernel kills it when the parent dies, and a parent that has died before is an
// error.
func Bind(parent int) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("ask to be killed with the parent: %w", err)
	}
	if os.Getppid() != parent {
		return errors.New("the parent has ended already")
	}
	return nil
}
