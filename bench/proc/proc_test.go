package proc

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// shell runs a script that ends when its input does, and waits until it has said that it is ready. The script says so
// once it has started what it starts.
func shell(t *testing.T, script string, files ...*os.File) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", script)
	cmd.ExtraFiles = files
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if _, err := io.Copy(io.Discard, stdout); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the script says %q, %v", line, err)
	}
	return cmd
}

func TestTreeHasGrandchildren(t *testing.T) {
	cmd := shell(t, `sh -c 'sh -c "echo ready; read line"; true'; true`)
	pids, err := Tree(cmd.Process.Pid)
	if err != nil || len(pids) != 3 || pids[0] != cmd.Process.Pid {
		t.Errorf("tree %v, %v", pids, err)
	}
	own, err := Tree(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if !slices.Contains(own, pid) {
			t.Errorf("this process's tree %v lacks %d", own, pid)
		}
	}
}

func TestProcessThatIsGone(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "/bin/true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if bytes, err := Memory(cmd.Process.Pid); bytes != 0 || err != nil {
		t.Errorf("it takes %d bytes, %v", bytes, err)
	}
}

// held is what the tests below let a process hold.
const held = 32 << 20

func TestResidentMemoryCounts(t *testing.T) {
	before, err := StatusOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	memory, err := unix.Mmap(-1, 0, held, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	with, err := StatusOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Munmap(memory); err != nil {
		t.Fatal(err)
	}
	after, err := StatusOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if with.Resident < before.Resident+held*9/10 {
		t.Errorf("resident %d, and %d with %d bytes more", before.Resident, with.Resident, held)
	}
	if after.Resident > with.Resident-held*9/10 || after.Peak < held {
		t.Errorf("%d bytes are given back: %+v, then %+v", held, with, after)
	}
}

func TestMemoryFilesCountOnce(t *testing.T) {
	fd, err := unix.MemfdCreate("blocks", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "blocks")
	defer file.Close()
	cmd := shell(t, `sh -c 'echo ready; read line'; true`, file) // two processes have it open
	before, err := Memory(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(file, io.LimitReader(zeros{}, held)); err != nil {
		t.Fatal(err)
	}
	after, err := Memory(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if more := after - before; more < held || more > held*5/4 {
		t.Errorf("%d bytes in a memory file count as %d", held, more)
	}
}

// zeros reads as many as are asked for.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func TestMemoryIsThatOfTheWholeTree(t *testing.T) {
	// Each of three shells holds a string of 8 MB.
	cmd := shell(t, `export HOLD='s=$(head -c 8000000 /dev/zero | tr "\0" x)'
		eval "$HOLD"; sh -c 'eval "$HOLD"; sh -c "eval \"\$HOLD\"; echo ready; read line"; true'; true`)
	one, err := StatusOf(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	all, err := Memory(cmd.Process.Pid)
	if err != nil || all < one.Resident+15_000_000 {
		t.Errorf("the tree takes %d, %v; its root %d", all, err, one.Resident)
	}
}
