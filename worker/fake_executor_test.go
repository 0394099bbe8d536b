package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"

	"fletch/api"
	"fletch/fault"
	"fletch/shuffle"
)

// fakeExecutor is an executor that needs no plugin. The arguments of its job are scripts: the first one for loading, the
// others for the attempts, by the index of their task.
type fakeExecutor struct {
	agent  *net.UnixConn
	client api.ExecutorsClient
	files  *net.UnixConn
	mu     sync.Mutex // of send and of stops
	stream grpc.BidiStreamingClient[api.ExecutorMessage, api.AgentMessage]
	stops  map[string]chan struct{}
	load   *api.Load
	deaf   atomic.Bool // it does not end when it is told to
}

func runFakeExecutor() error {
	x := &fakeExecutor{stops: map[string]chan struct{}{}}
	messages, err := net.FileConn(os.NewFile(3, "messages"))
	if err != nil {
		return err
	}
	files, err := net.FileConn(os.NewFile(4, "files"))
	if err != nil {
		return err
	}
	x.files = files.(*net.UnixConn)
	conn, err := grpc.NewClient("passthrough:agent", append(api.DialOptions(),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return messages, nil }))...)
	if err != nil {
		return err
	}
	x.agent, x.client = messages.(*net.UnixConn), api.NewExecutorsClient(conn)
	if x.stream, err = x.client.Connect(context.Background()); err != nil {
		return err
	}
	x.send(&api.ExecutorMessage{Message: &api.ExecutorMessage_Hello{Hello: &api.ExecutorHello{Pid: int64(os.Getpid())}}})
	for {
		m, err := x.stream.Recv()
		if err != nil {
			if x.deaf.Load() {
				select {}
			}
			return nil
		}
		x.obey(m)
	}
}

func (x *fakeExecutor) send(m *api.ExecutorMessage) {
	x.mu.Lock()
	defer x.mu.Unlock()
	_ = x.stream.Send(m)
}

func (x *fakeExecutor) obey(m *api.AgentMessage) {
	switch m := m.Message.(type) {
	case *api.AgentMessage_Load:
		x.load = m.Load
		go func() {
			err := x.perform("", x.load.Args[0], nil)
			x.send(&api.ExecutorMessage{Message: &api.ExecutorMessage_Loaded{Loaded: &api.Loaded{Error: api.ErrorOf(err)}}})
		}()
	case *api.AgentMessage_Start:
		stop := make(chan struct{})
		x.mu.Lock()
		x.stops[m.Start.Attempt] = stop
		x.mu.Unlock()
		go x.attempt(m.Start, stop)
	case *api.AgentMessage_Stop:
		x.mu.Lock()
		if stop := x.stops[m.Stop.Attempt]; stop != nil {
			close(stop)
			delete(x.stops, m.Stop.Attempt)
		}
		x.mu.Unlock()
	case *api.AgentMessage_Limits:
		fmt.Println("limit", m.Limits.MemoryBytes)
	case *api.AgentMessage_Producers:
		fmt.Println("producers", m.Producers.Version, m.Producers.Workers, m.Producers.Attempts)
	}
}

func (x *fakeExecutor) attempt(m *api.StartAttempt, stop chan struct{}) {
	e := &api.AttemptEnded{Attempt: m.Attempt}
	script := x.load.Args[1+m.Task.Index]
	if err := x.perform(m.Attempt, script, stop); err != nil {
		e.Error = api.ErrorOf(err)
	} else {
		e.Result = &api.Result{Metrics: &api.Metrics{RowsOut: 7}}
		if strings.HasPrefix(script, "memory") || strings.HasPrefix(script, "file") {
			e.Result.Shuffles = []*api.ShuffleOutput{{Exchange: 1, Bytes: []int64{1}}}
		}
	}
	x.send(&api.ExecutorMessage{Message: &api.ExecutorMessage_Ended{Ended: e}})
}

// perform does what a script says.
func (x *fakeExecutor) perform(attempt, script string, stop <-chan struct{}) error {
	word, rest, _ := strings.Cut(script, " ")
	n, _ := strconv.Atoi(rest)
	switch word {
	case "ok":
		return nil
	case "fail":
		return fault.As(fault.User, fmt.Errorf("%s", rest))
	case "exit":
		os.Exit(n)
	case "deep":
		debug.SetMaxStack(1 << 20)
		return fmt.Errorf("%d", recurse(1))
	case "panic":
		go panic(rest)
		select {}
	case "kill":
		_ = unix.Kill(os.Getpid(), unix.Signal(n))
		select {}
	case "wait":
		<-stop
		return fault.As(fault.Cancelled, fmt.Errorf("was told to stop"))
	case "hang":
		select {}
	case "work": // finishes records until it is stopped
		for rows := int64(1); ; rows++ {
			x.send(&api.ExecutorMessage{Message: &api.ExecutorMessage_Progress{Progress: &api.ProgressReport{
				Attempts: []*api.AttemptProgress{{Attempt: attempt, Rows: rows}}}}})
			select {
			case <-stop:
				return fault.As(fault.Cancelled, fmt.Errorf("was told to stop"))
			case <-time.After(20 * time.Millisecond):
			}
		}
	case "deaf":
		x.deaf.Store(true)
	case "leave": // goes on without the agent
		x.deaf.Store(true)
		return errors.Join(x.agent.CloseWrite(), x.agent.CloseRead()) // others have the socket, too
	case "hoard": // so many MiB, not of the heap, as that grows with what watches it
		if _, err := unix.Mmap(-1, 0, n<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_POPULATE); err != nil {
			return err
		}
		fmt.Println("hoarded", n)
		<-stop
	case "print":
		fmt.Println(rest)
	case "log":
		x.send(&api.ExecutorMessage{Message: &api.ExecutorMessage_Log{Log: &api.LogRecord{
			Attempt: attempt, TimeUnixNanos: 42, Level: "INFO", Text: rest}}})
	case "memory": // writes a text to memory that it reserves
		reply, err := x.client.Reserve(context.Background(), &api.ReserveRequest{Attempt: attempt, Bytes: int64(len(rest))})
		if err != nil {
			return err
		}
		if !reply.Granted {
			return fault.As(fault.User, fmt.Errorf("refused"))
		}
		f, err := x.receive(attempt)
		if err != nil {
			return err
		}
		_, err = f.WriteString(rest)
		return err // the file stays open, as the real one does
	case "file":
		return os.WriteFile(filepath.Join(x.load.Dir, shuffle.FileName(attempt)), []byte(rest), 0o600)
	case "litter":
		return os.WriteFile(filepath.Join(x.load.Dir, attempt+".tmp"), []byte("x"), 0o600)
	case "open": // logs what an output is
		reply, err := x.client.OpenOutput(context.Background(), &api.OpenOutputRequest{Attempt: rest})
		if err != nil {
			return err
		}
		if !reply.Found {
			return fault.As(fault.User, fmt.Errorf("not found"))
		}
		f, err := x.receive(rest)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(f)
		fmt.Printf("opened %q\n", b)
		return err
	case "environment":
		dir, err := os.Getwd()
		fmt.Println("environment", os.Environ(), dir)
		return err
	case "child":
		cmd := exec.Command("sleep", "1000")
		if err := cmd.Start(); err != nil {
			return err
		}
		fmt.Println("child", cmd.Process.Pid, "of", os.Getpid())
		<-stop
	default:
		return fmt.Errorf("no such script: %q", script)
	}
	return nil
}

func recurse(i int) int {
	if i == 0 {
		return 0
	}
	return recurse(i+1) + 1
}

func (x *fakeExecutor) receive(attempt string) (*os.File, error) {
	name, rights := make([]byte, 256), make([]byte, 64)
	n, m, _, _, err := x.files.ReadMsgUnix(name, rights)
	if err != nil {
		return nil, err
	}
	if string(name[:n]) != attempt {
		return nil, fmt.Errorf("descriptor of %q, want %q", name[:n], attempt)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:m])
	if err != nil {
		return nil, err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), attempt), nil
}
