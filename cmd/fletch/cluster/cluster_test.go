package cluster

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script writes a program that the kernel can run.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil { //nolint:gosec // it has to run
		t.Fatal(err)
	}
	return path
}

// child starts a shell that has begun once it has printed a line, and is waited for when the test ends.
func child(t *testing.T, id, text string) *Process {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", text)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = bufio.NewReader(out).ReadString('\n')
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	s, err := readStat(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return &Process{ID: id, PID: cmd.Process.Pid, Started: s.started, Boot: bootID()}
}

func TestStop(t *testing.T) {
	obeys := child(t, "obeys", "echo; exec sleep 1000")
	defies := child(t, "defies", "trap '' TERM; echo; while :; do sleep 0.01; done")
	ended := child(t, "ended", "echo") // it may be there as a zombie
	bystander := child(t, "bystander", "echo; exec sleep 1000")
	reused := *bystander
	reused.Started++ // the PID was that of an earlier process
	// Wait for its end and leave it unreaped.
	if err := unix.Waitid(unix.P_PID, ended.PID, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	pids := []Process{*obeys, *defies}
	list, err := stop([]*Process{obeys, defies, ended, &reused, {ID: "never"}}, 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		if s.killed {
			s.ID += " killed"
		}
		got = append(got, s.ID)
	}
	if want := "obeys, defies killed"; strings.Join(got, ", ") != want {
		t.Errorf("stopped %q, want %s", got, want)
	}
	if pids[0].running() || pids[1].running() || !bystander.running() || obeys.PID != 0 {
		t.Error("the wrong processes run")
	}
}

func TestUpTellsWhoDied(t *testing.T) {
	config := Config{Dir: t.TempDir(), Masters: 1, Workers: 2, Wait: 20 * time.Second, Program: script(t, `
case $3 in
w2) echo first; echo the disk is full >&2; exit 7;;
*) exec sleep 1000;;
esac`)}
	_, err := Up(t.Context(), config)
	if err == nil || !strings.HasPrefix(err.Error(), "w2 did not start (exit status 7); its last lines, of ") || !strings.HasSuffix(err.Error(), "\n\nfirst\nthe disk is full") {
		t.Fatal(err)
	}
	s, err := load(config.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.all() {
		if p.PID != 0 && p.ID != "w2" || p.running() {
			t.Errorf("%s is left with PID %d", p.ID, p.PID)
		}
	}
	if len(s.Masters) != 1 || len(s.Workers) != 2 {
		t.Errorf("%+v", s)
	}
}

func TestUpGivesUp(t *testing.T) {
	config := Config{Dir: t.TempDir(), Masters: 1, Workers: 1, Wait: 200 * time.Millisecond, Program: script(t, "exec sleep 1000")}
	_, err := Up(t.Context(), config)
	if err == nil || !strings.Contains(err.Error(), "the cluster did not serve within 200ms; the logs are in "+config.Dir+"/logs") {
		t.Fatal(err)
	}
	if masters, err := Running(config.Dir); err != nil || masters != nil {
		t.Errorf("%q run, %v", masters, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := Up(ctx, config); !errors.Is(err, cause) {
		t.Error(err)
	}
}

func TestPlan(t *testing.T) {
	s, err := plan(nil, Config{})
	if err != nil || len(s.Masters) != defaultMasters || len(s.Workers) != defaultWorkers || s.Cluster == "" {
		t.Fatalf("%+v, %v", s, err)
	}
	addresses := map[string]bool{}
	for _, p := range s.all() {
		addresses[p.Address] = true
	}
	if len(addresses) != defaultMasters+defaultWorkers {
		t.Error("two processes have one address")
	}
	first := s.Workers[0].Address
	if s, err = plan(s, Config{Masters: 3, Workers: 6}); err != nil || len(s.Workers) != 6 || s.Workers[0].Address != first || s.Workers[5].ID != "w6" {
		t.Fatalf("%+v, %v", s, err)
	}
	if s, err = plan(s, Config{Workers: 2}); err != nil || len(s.Workers) != 6 {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err = plan(s, Config{Masters: 5}); err == nil {
		t.Error("masters were added")
	}
	_, err = plan(s, Config{Workers: 4, MemoryBytes: 255 << 20})
	if usage, ok := errors.AsType[*UsageError](err); !ok || !strings.Contains(usage.Error(), "255 MiB for 4 workers: want at least 256 MiB") {
		t.Errorf("too little memory: %v", err)
	}
	if _, err = plan(s, Config{Workers: 4, MemoryBytes: 256 << 20}); err != nil {
		t.Error(err)
	}
}

func TestDownWithoutCluster(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	e, err := Down(t.Context(), dir, true)
	if err != nil || len(e.Stopped) != 0 || e.Deleted {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("a directory was made")
	}
}

func TestDownDeletesItsOwn(t *testing.T) {
	dir := t.TempDir()
	s, err := plan(nil, Config{Masters: 1, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.save(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"m1", "w1", "logs", "mine"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if e, err := Down(t.Context(), dir, true); err != nil || !e.Deleted {
		t.Fatalf("%+v, %v", e, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "mine" {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestForeignState(t *testing.T) {
	for _, text := range []string{`{"format": 2}`, `{`, `[]`} {
		dir := t.TempDir()
		if err := os.WriteFile(stateFile(dir), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Running(dir); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}
