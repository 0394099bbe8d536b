package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// daemon is a process that this one has started.
type daemon struct {
	*Process
	log    string     // the file that it prints to
	from   int64      // where in that file its own text begins
	exited chan error // gets how it ended; room for it
}

// startDaemon starts a program in the background, in a session of its own: it goes on when this process and its terminal end.
func startDaemon(dir, program string, p *Process, args ...string) (*daemon, error) {
	logs := filepath.Join(dir, "logs")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return nil, err
	}
	d := &daemon{Process: p, log: filepath.Join(logs, p.ID+".log"), exited: make(chan error, 1)}
	f, err := os.OpenFile(d.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	d.from = info.Size()
	cmd := exec.Command(program, args...) //nolint:noctx // it outlives this process
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.ID, err)
	}
	// It is a child that nobody has waited for yet, so its entry is there whatever became of it.
	p.PID = cmd.Process.Pid
	stat, err := readStat(p.PID)
	if err == nil {
		p.Started, p.Boot = stat.started, bootID()
	}
	go func() { d.exited <- cmd.Wait() }()
	return d, err
}

// The ends of logs that errors show.
const (
	lastLines = 10
	lastBytes = 8 << 10
)

// complaint returns the last lines that the process printed.
func (d *daemon) complaint() string {
	f, err := os.Open(d.log)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	text, err := io.ReadAll(io.NewSectionReader(f, max(d.from, info.Size()-lastBytes), lastBytes))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-lastLines):], "\n")
}

// stat is what the kernel says of a process.
type stat struct {
	state   byte
	started uint64
}

// readStat reads /proc/PID/stat: the name stands in parentheses and may hold anything, so that fields count from its end.
func readStat(pid int) (stat, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const state, started = 0, 19 // fields 3 and 22 of proc(5)
	if len(fields) <= started {
		return stat{}, fmt.Errorf("process %d: what the kernel says can't be read", pid)
	}
	ticks, err := strconv.ParseUint(fields[started], 10, 64)
	return stat{fields[state][0], ticks}, err
}

func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// running tells whether the process is there, and no other one that has got its PID since.
func (p *Process) running() bool {
	if p.PID <= 0 {
		return false
	}
	s, err := readStat(p.PID)
	return err == nil && s.started == p.Started && p.Boot == bootID() && s.state != 'Z' && s.state != 'X'
}

// open returns a descriptor of the process, which can't come to mean another one; ok is false if it has ended.
func (p *Process) open() (fd int, ok bool, err error) {
	if !p.running() {
		return 0, false, nil
	}
	fd, err = unix.PidfdOpen(p.PID, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("process %d of %s: %w", p.PID, p.ID, err)
	case !p.running(): // the PID may have changed hands before it was opened
		return 0, false, unix.Close(fd)
	}
	return fd, true, nil
}

// stopped is what became of a process that was asked to end.
type stopped struct {
	*Process
	killed bool // it did not obey
}

// stop ends processes: with SIGTERM, and with SIGKILL what is left after grace. It returns those that ran.
func stop(processes []*Process, grace time.Duration) (ended []stopped, err error) {
	type handle struct {
		*Process
		fd int
	}
	var open []handle
	var errs []error
	for _, p := range processes {
		fd, ok, err := p.open()
		if err != nil {
			errs = append(errs, err)
		}
		if ok {
			open = append(open, handle{p, fd})
			errs = append(errs, signal(fd, unix.SIGTERM))
		}
	}
	deadline := time.Now().Add(grace)
	for _, h := range open {
		obeyed, err := waitGone(h.fd, time.Until(deadline))
		if !obeyed && err == nil {
			err = kill(h.Process, h.fd)
		}
		errs = append(errs, err, unix.Close(h.fd))
		if err == nil {
			ended = append(ended, stopped{h.Process, !obeyed})
			h.PID, h.Started, h.Boot = 0, 0, ""
		}
	}
	return ended, errors.Join(errs...)
}

// killWait is how long the kernel may take to end a process.
const killWait = 5 * time.Second

// kill ends a process whatever it does.
func kill(p *Process, fd int) error {
	if err := signal(fd, unix.SIGKILL); err != nil {
		return err
	}
	gone, err := waitGone(fd, killWait)
	if err == nil && !gone {
		err = fmt.Errorf("%s, process %d, is still there after SIGKILL", p.ID, p.PID)
	}
	return err
}

func signal(fd int, s unix.Signal) error {
	if err := unix.PidfdSendSignal(fd, s, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("send %v: %w", s, err)
	}
	return nil
}

// waitGone waits until a process has ended.
func waitGone(fd int, wait time.Duration) (gone bool, err error) {
	deadline := time.Now().Add(wait)
	for {
		left := max(0, time.Until(deadline))
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(left.Milliseconds()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return n > 0, err
	}
}
