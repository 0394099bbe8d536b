package replica

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"fletch/api"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/master/state"
)

// fullState is a machine with workers, an audit log, and a job in each status.
func fullState(t testing.TB) *state.Machine {
	m := state.New()
	apply := func(commands ...state.Command) {
		t.Helper()
		for _, c := range commands {
			if _, err := m.Apply(c); err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
		}
	}
	apply(state.Register{Worker: "w1", Incarnation: "x", Address: "127.0.0.1:1", At: epoch},
		state.Register{Worker: "w2", Incarnation: "y", Address: "127.0.0.1:2", At: epoch})
	for _, id := range []string{"waiting", "running", "done", "failed", "cancelled"} {
		submit := shuffleJob(id)
		submit.User, submit.Args = "ann", []string{"\xff"}
		apply(submit)
		if id == "waiting" {
			continue
		}
		apply(nextPlan(t, m.Job(id)))
		switch id {
		case "running":
			failed := shuffleCommit(id, 0, 1, "w2", m)
			apply(shuffleCommit(id, 0, 0, "w1", m), state.Fail{Attempt: failed.Attempt, Worker: "w2", Class: fault.User, Message: "no", At: epoch})
		case "done":
			apply(shuffleCommit(id, 0, 0, "w1", m), shuffleCommit(id, 0, 1, "w2", m))
			apply(nextPlan(t, m.Job(id)))
			for i := range m.Job(id).Stages[1].Len() {
				apply(shuffleCommit(id, 1, i, "w1", m))
			}
			apply(state.Publish{Job: id, At: epoch}, state.Published{Job: id, At: epoch})
		case "failed":
			apply(state.Abort{Job: id, Class: fault.Permanent, Message: "it can't be", At: epoch})
		case "cancelled":
			apply(state.Cancel{Job: id, Reason: "enough", User: "bob", At: epoch})
		}
	}
	w2, _ := m.Worker("w2")
	apply(state.Lose{Worker: "w2", Epoch: w2.Epoch, At: epoch})
	return m
}

// shuffleJob reads two splits and writes what a shuffle makes of them.
func shuffleJob(id string) state.Submit {
	s := submitOf(id, 2)
	sink := s.Graph.Nodes[1]
	sink.ID, sink.Inputs = 2, []int{1}
	s.Graph.Nodes = []plan.Node{s.Graph.Nodes[0], {ID: 1, Kind: plan.Exchange, Op: "Count", Inputs: []int{0}, Exchange: &plan.Shuffle{Partitions: 5, Ordered: true}}, sink}
	return s
}

func nextPlan(t testing.TB, j *state.Job) state.Plan {
	t.Helper()
	tasks, skip, err := plan.Next(j.Graph, j.Plan(), j.Facts())
	if err != nil {
		t.Fatal(err)
	}
	return state.Plan{Job: j.ID, Tasks: tasks, Skip: skip, At: epoch}
}

func shuffleCommit(job string, stage, task int, worker string, m *state.Machine) state.Commit {
	w, _ := m.Worker(worker)
	c := state.Commit{
		Attempt: state.AttemptID{Job: job, Stage: stage, Task: task, Term: 3, Number: uint64(task)},
		Worker:  worker, Epoch: w.Epoch, At: epoch,
		Result: plan.Result{Counters: map[string]int64{"lines": 7}, Metrics: plan.Metrics{RowsIn: 5}},
	}
	if stage == 0 {
		c.Result.Shuffles = []plan.ShuffleOutput{{Exchange: 1, Bytes: []int64{10, 20, 0, 0, 64 << 20}}} // the last one is skewed
		return c
	}
	t := m.Job(job).Stages[stage].Task(task)
	for p := t.Lo; p < t.Hi; p++ {
		c.Result.Parts = append(c.Result.Parts, plan.Part{Sink: 2, Partition: p, Name: fmt.Sprint("part-", p), Rows: 1, Bytes: 2, CRC32C: 3})
	}
	return c
}

func encodeSnapshot(t testing.TB, m *state.Machine) []byte {
	t.Helper()
	var b bytes.Buffer
	s := m.Snapshot()
	n, err := writeSnapshot(&b, &s)
	if err != nil {
		t.Fatal(err)
	}
	if n > int64(b.Len()) || n < int64(b.Len())-32 {
		t.Errorf("writeSnapshot says %d bytes of %d", n, b.Len())
	}
	return b.Bytes()
}

func TestSnapshotKeepsEverything(t *testing.T) {
	before := fullState(t)
	after, _, err := readSnapshot(bytes.NewReader(encodeSnapshot(t, before)))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(after, before) {
		for _, j := range before.Jobs() {
			if have := after.Job(j.ID); !reflect.DeepEqual(have, j) {
				t.Errorf("job %s:\nhave %+v\nwant %+v", j.ID, have, j)
			}
		}
		t.Fatal("the state that comes back is another one")
	}
	if !bytes.Equal(encodeSnapshot(t, after), encodeSnapshot(t, before)) {
		t.Error("a snapshot of what came back has other bytes")
	}
}

func TestSnapshotRefusesDamage(t *testing.T) {
	good := encodeSnapshot(t, fullState(t))
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if _, _, err := readSnapshot(bytes.NewReader(bad)); err == nil {
			t.Fatalf("byte %d of %d flipped: it is accepted", i, len(good))
		}
	}
	for n := 0; n < len(good); n += 7 {
		if _, _, err := readSnapshot(bytes.NewReader(good[:n])); !errors.Is(err, errDamaged) {
			t.Fatalf("cut off at %d of %d bytes: %v", n, len(good), err)
		}
	}
	if _, _, err := readSnapshot(bytes.NewReader(append(bytes.Clone(good), 0))); err == nil {
		t.Error("a byte after the end mark is accepted")
	}
	newer := bytes.Clone(good)
	newer[len(snapshotMagic)]++
	if _, _, err := readSnapshot(bytes.NewReader(newer)); err == nil || !strings.Contains(err.Error(), "newer version of fletch") {
		t.Errorf("a newer version: %v", err)
	}
}

// What does not check out never becomes a file that counts.
func TestSnapshotsAreCheckedAsTheyAreWritten(t *testing.T) {
	store, err := openSnapshots(filepath.Join(t.TempDir(), snapshotDir))
	if err != nil {
		t.Fatal(err)
	}
	good := encodeSnapshot(t, fullState(t))
	bad := bytes.Clone(good)
	bad[len(bad)/2] ^= 1
	members := raft.Configuration{Servers: []raft.Server{{ID: "m1", Address: "127.0.0.1:1"}}}
	write := func(index uint64, content []byte) error {
		sink, err := store.Create(1, index, 2, members, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		for len(content) > 0 && err == nil {
			n := min(1000, len(content))
			_, err = sink.Write(content[:n])
			content = content[n:]
		}
		if err != nil {
			return errors.Join(err, sink.Cancel())
		}
		return errors.Join(sink.Close(), sink.Close())
	}
	for _, content := range [][]byte{bad, good[:len(good)-5], nil, append(bytes.Clone(good), 0)} {
		if err := write(9, content); err == nil {
			t.Error("a damaged snapshot is accepted")
		}
	}
	for index := uint64(5); index < 9; index++ {
		if err := write(index, good); err != nil {
			t.Fatal(err)
		}
	}
	list, err := store.List()
	if err != nil || len(list) != snapshotsKept || list[0].Index != 8 || list[1].Index != 7 {
		t.Fatalf("have %+v (%v), want those of 8 and 7", list, err)
	}
	if list[0].Size != int64(len(good)) || list[0].Term != 2 || list[0].ConfigurationIndex != 1 || !reflect.DeepEqual(list[0].Configuration, members) {
		t.Errorf("what raft knows has become %+v", list[0])
	}
	files, err := os.ReadDir(store.dir)
	if err != nil || len(files) != snapshotsKept {
		t.Errorf("%d files are left (%v)", len(files), err)
	}
	name := filepath.Join(store.dir, list[0].ID)
	for i := range frameHeader + 10 {
		flip(t, name, int64(i))
		if _, err := store.List(); !errors.Is(err, errDamaged) {
			t.Errorf("byte %d of what raft knows flipped: %v", i, err)
		}
		flip(t, name, int64(i))
	}
}

// flip changes a byte of a file; a second call changes it back.
func flip(t *testing.T, name string, at int64) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x20
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// FuzzReadSnapshot looks for bytes that crash the reader, or are taken though no writer writes them.
func FuzzReadSnapshot(f *testing.F) {
	f.Add(encodeSnapshot(f, state.New()))
	f.Add(encodeSnapshot(f, fullState(f)))
	f.Fuzz(func(t *testing.T, content []byte) {
		m, _, err := readSnapshot(bytes.NewReader(content))
		if err == nil && !bytes.Equal(encodeSnapshot(t, m), content) {
			t.Error("other bytes than a writer's are accepted")
		}
	})
}

// FuzzLoader looks for records, whole as frames, that crash the loader.
func FuzzLoader(f *testing.F) {
	r, err := newFrameReader(bytes.NewReader(encodeSnapshot(f, fullState(f))))
	if err != nil {
		f.Fatal(err)
	}
	var records [][]byte
	for {
		record, err := r.next()
		if err != nil {
			f.Fatal(err)
		}
		if record == nil {
			break
		}
		payload, err := proto.Marshal(record)
		if err != nil {
			f.Fatal(err)
		}
		records = append(records, payload)
	}
	for i := range records {
		f.Add(records[i], records[(i+1)%len(records)], records[(i+2)%len(records)])
	}
	f.Fuzz(func(_ *testing.T, a, b, c []byte) {
		var l loader
		for _, payload := range [][]byte{a, b, c} {
			record := new(api.SnapshotRecord)
			if proto.Unmarshal(payload, record) != nil || l.add(record) != nil {
				return
			}
		}
	})
}
