package replica

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/master/state"
)

// commands is one of each kind, with every field set.
func commands() []state.Command {
	submit := submitOf("a", 2)
	submit.Settings = state.Settings{Partitions: 3, MaxRetryable: 4, MaxUser: 5, MaxLost: 6, MaxLineBytes: 1 << 40}
	submit.Plugin, submit.Args, submit.User = strings.Repeat("ab", 32), []string{"--input", "\xff\x00"}, "ann"
	submit.Splits[3] = []plan.Split{}
	commit := commitOf("a", 1)
	commit.Attempt.Stage, commit.Attempt.StageAttempt = 1, 2
	commit.Worker, commit.Epoch = "w1", 9
	commit.Result.Shuffles = []plan.ShuffleOutput{{Exchange: 2, Bytes: []int64{0, 5, 1 << 50}}}
	at := time.Unix(1_700_000_001, 999_999_999).UTC()
	return []state.Command{
		submit,
		planOf(submit),
		state.Plan{Job: "a", Tasks: []plan.Task{{Stage: 1, Lo: 0, Hi: 2}, {Stage: 1, Index: 1, Lo: 2, Hi: 3, Weight: 1.5}}, Skip: []int{2, 4}, At: at},
		commit,
		state.Fail{Attempt: commit.Attempt, Worker: "w1", Class: fault.FetchFailed, Message: "it is gone", Lost: []state.AttemptID{commitOf("a", 0).Attempt}, At: at},
		state.Publish{Job: "a", At: at},
		state.Published{Job: "a", At: at},
		state.Abort{Job: "a", Class: fault.Permanent, Message: "the output exists", At: at},
		state.Cancel{Job: "a", Reason: "enough", User: "bob", At: at},
		state.Register{Worker: "w1", Incarnation: "x7", Address: "127.0.0.1:7100", At: at},
		state.Lose{Worker: "w1", Epoch: 7, At: at},
		state.Audit{User: "ann", Action: "add master", Subject: "m4", At: at},
		state.Publish{Job: "without a time"},
	}
}

func TestCommandsSurviveTheLog(t *testing.T) {
	want := commands()
	var payloads [][]byte
	for _, c := range want {
		payload, err := encodeCommand(c)
		if err != nil {
			t.Fatalf("%T: %v", c, err)
		}
		payloads = append(payloads, payload)
	}
	have, err := decodeEntry(encodeEntry(payloads...))
	if err != nil {
		t.Fatal(err)
	}
	if len(have) != len(want) {
		t.Fatalf("%d commands have become %d", len(want), len(have))
	}
	for i := range want {
		if !reflect.DeepEqual(have[i], want[i]) {
			t.Errorf("%T:\nhave %+v\nwant %+v", want[i], have[i], want[i])
		}
	}
}

// A field that is added to a command must be added to its message.
func TestCommandsAreCompletelySet(t *testing.T) {
	set := make(map[reflect.Type]map[string]bool)
	for _, c := range commands() {
		v := reflect.ValueOf(c)
		if set[v.Type()] == nil {
			set[v.Type()] = make(map[string]bool)
		}
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				set[v.Type()][v.Type().Field(i).Name] = true
			}
		}
	}
	for typ, fields := range set {
		for field := range typ.Fields() {
			if !fields[field.Name] {
				t.Errorf("the tests of the log don't set %s.%s", typ, field.Name)
			}
		}
	}
}

func TestEncodeCommandRefuses(t *testing.T) {
	tests := []struct {
		name string
		c    state.Command
		want string
	}{
		{"nothing", nil, "can't be replicated"},
		{"what can't be read back", state.Plan{Job: "a", Tasks: []plan.Task{{Stage: -1}}}, "stage"},
		{"an unknown class", state.Abort{Job: "a", Class: fault.Permanent + 1}, "class is 6"},
		{"too much", state.Abort{Job: "a", Message: strings.Repeat("x", maxEntryBytes)}, fmt.Sprint("the limit is ", maxEntryBytes)},
	}
	for _, test := range tests {
		if _, err := encodeCommand(test.c); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	if _, err := encodeCommand(state.Abort{Job: "a", Message: "not UTF-8: \xff"}); err != nil {
		t.Errorf("a message that is not UTF-8: %v", err)
	}
}

func TestDecodeEntryRefuses(t *testing.T) {
	payload, err := encodeCommand(state.Publish{Job: "a"})
	if err != nil {
		t.Fatal(err)
	}
	good := encodeEntry(payload)
	for i := entryVersionBytes; i < len(good); i++ {
		bad := append([]byte{}, good...)
		bad[i] ^= 0x40
		if _, err := decodeEntry(bad); !errors.Is(err, errDamaged) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
	}
	newer := append([]byte{}, good...)
	newer[0]++
	if _, err := decodeEntry(newer); err == nil || !strings.Contains(err.Error(), "newer version of fletch") {
		t.Errorf("a newer version: %v", err)
	}
	if _, err := decodeEntry(encodeEntry([]byte{0x0a, 0x00})); !errors.Is(err, errUnknownKind) {
		t.Errorf("a command of no kind: %v", err)
	}
	for n := range good {
		if _, err := decodeEntry(good[:n]); err == nil {
			t.Errorf("an entry of %d of %d bytes is accepted", n, len(good))
		}
	}
}

const entryVersionBytes = 1

// FuzzDecodeEntry looks for payloads that crash the decoder, or that it understands but can't write again.
func FuzzDecodeEntry(f *testing.F) {
	for _, c := range commands() {
		payload, err := encodeCommand(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		list, err := decodeEntry(encodeEntry(payload))
		if err != nil {
			return
		}
		for _, c := range list {
			again, err := encodeCommand(c)
			if err != nil {
				t.Fatalf("%T was read, but can't be written: %v", c, err)
			}
			if back, err := decodeEntry(encodeEntry(again)); err != nil || !reflect.DeepEqual(back[0], c) {
				t.Fatalf("%+v becomes %+v (%v)", c, back, err)
			}
		}
	})
}
