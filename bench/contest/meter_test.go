package contest

import (
	"bufio"
	"context"
	"os/exec"
	"testing"
	"time"
)

// holder starts a process that takes the given number of bytes until the test ends.
func holder(t *testing.T, bytes string) (pid int) {
	t.Helper()
	// tail keeps what it may have to print until its input ends.
	cmd := exec.CommandContext(context.Background(), "/bin/sh", "-c", `{ head -c $0 /dev/zero; echo ready >&2; read line; } | tail -c $0 > /dev/null`, bytes)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	if line, err := bufio.NewReader(stderr).ReadString('\n'); err != nil {
		t.Fatalf("the process says %q, %v", line, err)
	}
	return cmd.Process.Pid
}

func TestMeterSumsUpAllProcesses(t *testing.T) {
	first, second := holder(t, "20000000"), holder(t, "30000000")
	for _, test := range []struct {
		roots []int
		bytes int64
	}{{[]int{first}, 20e6}, {[]int{first, second}, 50e6}} {
		peak, err := startMeter(test.roots).stop()
		if err != nil || peak < test.bytes*9/10 || peak > test.bytes*3/2 {
			t.Errorf("processes that hold %d bytes take %d, %v", test.bytes, peak, err)
		}
	}
}

func TestPeaksOfServersCountInPlaceOfTheProgram(t *testing.T) {
	client := script("client", inOneFile)
	client.Servers = []int{holder(t, "40000000")}
	c, _ := newContest(t, client)
	c.Timeout = time.Minute
	scores, err := c.Run(context.Background())
	if err != nil || scores[0].PeakBytes < 36e6 || scores[0].CPU != 0 {
		t.Errorf("%+v, %v", scores, err)
	}
}

func TestPeakOfAProgramIsExact(t *testing.T) {
	// It is over sooner than a meter looks again.
	c, _ := newContest(t, script("brief", `head -c 200000000 /dev/zero | tail -c 200000000 > /dev/null; `+inOneFile))
	scores, err := c.Run(context.Background())
	if err != nil || scores[0].PeakBytes < 180e6 {
		t.Errorf("%+v, %v", scores, err)
	}
}
