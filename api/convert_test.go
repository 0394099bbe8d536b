package api

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"fletch/engine/plan"
	"fletch/report"
)

// pair is one type of the engine with its conversions.
type pair struct {
	zero any                              // of the engine's type, as a pointer
	out  func(any) proto.Message          // the value as a message
	in   func(proto.Message) (any, error) // the message as a value
	open map[protoreflect.FullName]bool   // fields of the message that the value does not have
}

func pairOf[T any, M proto.Message](out func(*T) M, in func(M) (*T, error), open ...protoreflect.FullName) pair {
	p := pair{
		zero: new(T),
		out:  func(v any) proto.Message { return out(v.(*T)) },
		in:   func(m proto.Message) (any, error) { return in(m.(M)) },
		open: map[protoreflect.FullName]bool{},
	}
	for _, name := range open {
		p.open[name] = true
	}
	return p
}

var pairs = []pair{
	pairOf(GraphOf, (*Graph).Plan),
	pairOf(StageOf, (*Stage).Plan),
	pairOf(TaskOf, (*Task).Plan),
	pairOf(SplitOf, (*Split).Plan),
	pairOf(ResultOf, (*Result).Plan),
	pairOf(JobOf, (*Job).Report, "fletch.v1.Job.user", "fletch.v1.Job.submitted_unix_nanos", "fletch.v1.Job.error_class"),
}

// TestRoundTrip fills every field of the engine's types by reflection, so that a field which a conversion forgets is
// missed on the way back, and one that only the message has is seen to stay empty.
func TestRoundTrip(t *testing.T) {
	for _, p := range pairs {
		t.Run(reflect.TypeOf(p.zero).Elem().String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				value := reflect.New(reflect.TypeOf(p.zero).Elem())
				fill(t, value.Elem(), "")
				sent := p.out(value.Interface())
				wire, err := proto.Marshal(sent)
				if err != nil {
					t.Fatal(err)
				}
				received := sent.ProtoReflect().New().Interface()
				if err := proto.Unmarshal(wire, received); err != nil {
					t.Fatal(err)
				}
				back, err := p.in(received)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(back, value.Interface()) {
					t.Errorf("sent     %+v\nreceived %+v", value.Interface(), back)
				}
				for _, name := range unset(received.ProtoReflect()) {
					if !p.open[name] {
						t.Errorf("field %s of the message is not set", name)
					}
				}
			})
		})
	}
}

// fill sets everything in v to something that is not zero, and that the receiver takes.
func fill(t *rapid.T, v reflect.Value, name string) {
	switch v.Interface().(type) {
	case report.State:
		v.SetString(rapid.SampledFrom([]string{"waiting", "running", "succeeded", "failed", "cancelled"}).Draw(t, name))
		return
	case plan.Kind:
		v.SetUint(rapid.Uint64Range(1, uint64(plan.Meet)).Draw(t, name))
		return
	case plan.Order:
		v.SetUint(rapid.Uint64Range(1, uint64(plan.Rounds)).Draw(t, name))
		return
	case plan.Partitioning:
		v.SetUint(rapid.Uint64Range(1, uint64(plan.ByRange)).Draw(t, name))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), v.Type().Field(i).Name)
		}
		mend(v.Addr().Interface())
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), name)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(1, 3).Draw(t, name), 3))
		for i := range v.Len() {
			fill(t, v.Index(i), name)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := range rapid.IntRange(1, 3).Draw(t, name) {
			item := reflect.New(v.Type().Elem()).Elem()
			fill(t, item, name)
			v.SetMapIndex(reflect.ValueOf(fmt.Sprint(name, i)), item)
		}
	case reflect.String:
		v.SetString(rapid.StringN(1, 10, -1).Draw(t, name))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(rapid.Int64Range(1, maxNodes-1).Draw(t, name))
	case reflect.Int64:
		v.SetInt(rapid.Int64Range(1, math.MaxInt64).Draw(t, name))
	case reflect.Uint32:
		v.SetUint(rapid.Uint64Range(1, math.MaxUint32).Draw(t, name))
	case reflect.Float64:
		v.SetFloat(rapid.Float64Range(0.001, 1e9).Draw(t, name))
	default:
		t.Fatalf("field %s has the type %s, which this test does not know", name, v.Type())
	}
}

// mend makes fields fit each other where the receiver looks at that.
func mend(v any) {
	switch v := v.(type) {
	case *plan.Stage:
		v.OutputPartitions = slices.Repeat(v.OutputPartitions[:1], len(v.Outputs))
	case *plan.Task:
		v.Hi += v.Lo
	case *plan.FileRange:
		v.Offset, v.Length, v.Size = v.Offset/4+1, v.Length/4+1, max(v.Size, math.MaxInt64/2+2)
	case *plan.Split:
		v.First, v.Count = v.First/2+1, v.Count/2
		v.Count = max(v.Count, 1)
	}
}

// unset returns the fields of a message, and of those in it, that are empty.
func unset(m protoreflect.Message) []protoreflect.FullName {
	var names []protoreflect.FullName
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch v := m.Get(f); {
		case !m.Has(f):
			names = append(names, f.FullName())
		case f.IsMap() || f.Kind() != protoreflect.MessageKind:
		case f.IsList():
			for j := range v.List().Len() {
				names = append(names, unset(v.List().Get(j).Message())...)
			}
		default:
			names = append(names, unset(v.Message())...)
		}
	}
	return names
}

func TestStagesRoundTrip(t *testing.T) {
	want := []plan.Stage{{ID: 0, Root: 1, Nodes: []int{1, 2}}, {ID: 1, Root: 2, Parents: []int{0}, Partitions: 7}}
	got, err := PlanStages(StagesOf(want))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("received %+v, %v", got, err)
	}
	if _, err := PlanStages([]*Stage{{Id: -1}}); err == nil {
		t.Error("a bad stage was taken")
	}
	if _, err := PlanStages(make([]*Stage, maxNodes+1)); err == nil {
		t.Error("too many stages were taken")
	}
}

// What has no fields set is either an empty value or refused, and never a panic.
func TestEmptyMessages(t *testing.T) {
	for _, p := range pairs {
		name := reflect.TypeOf(p.zero).Elem().String()
		empty := p.out(p.zero).ProtoReflect().New().Interface()
		_, err := p.in(empty)
		if _, isJob := p.zero.(*report.Job); isJob != (err != nil) { // a job needs a state
			t.Errorf("%s: an empty message gives %v", name, err)
		}
		missing := reflect.Zero(reflect.TypeOf(empty)).Interface().(proto.Message)
		if _, err := p.in(missing); err == nil || !strings.Contains(err.Error(), "missing") {
			t.Errorf("%s: a message that is missing gives %v", name, err)
		}
	}
	if m, err := (*Metrics)(nil).Plan(); m != (plan.Metrics{}) || err != nil {
		t.Errorf("missing metrics give %+v, %v", m, err)
	}
}

// TestMetrics forgets no field.
func TestMetrics(t *testing.T) {
	var every plan.Metrics // each field has a value of its own
	for i := range reflect.TypeFor[plan.Metrics]().NumField() {
		reflect.ValueOf(&every).Elem().Field(i).SetInt(int64(i + 1))
	}
	if m, err := MetricsOf(every).Plan(); m != every || err != nil {
		t.Errorf("metrics come back as %+v, %v; they were %+v", m, err, every)
	}
}

func TestBadMessages(t *testing.T) {
	node := func(n *Node) error { _, err := (&Graph{Nodes: []*Node{n}}).Plan(); return err }
	stage := func(s *Stage) error { _, err := s.Plan(); return err }
	task := func(s *Task) error { _, err := s.Plan(); return err }
	file := func(f *FileRange) error { _, err := (&Split{Files: []*FileRange{f}}).Plan(); return err }
	split := func(s *Split) error { _, err := s.Plan(); return err }
	result := func(r *Result) error { _, err := r.Plan(); return err }
	job := func(j *Job) error { _, err := j.Report(); return err }
	counters := map[string]int64{}
	for i := range maxCounters + 1 {
		counters[fmt.Sprint(i)] = 1
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{func() error { _, err := (&Graph{Nodes: make([]*Node, maxNodes+1)}).Plan(); return err }(), "10001 operators, more than 10000"},
		{node(&Node{Id: -1}), "id is -1"},
		{node(&Node{Id: maxNodes}), "id is 10000"},
		{node(&Node{Kind: 5}), "unknown kind 5"},
		{node(&Node{Kind: 256}), "unknown kind 256"},
		{node(&Node{Order: 5}), "unknown order 5"},
		{node(&Node{Inputs: []int32{0, math.MaxInt32}}), "inputs is 2147483647"},
		{node(&Node{Source: &Input{Items: -1}}), "items is -1"},
		{node(&Node{Source: &Input{ItemBytes: math.MinInt64}}), "size is -9223372036854775808"},
		{node(&Node{Exchange: &Shuffle{Partitioning: 4}}), "unknown way 4"},
		{node(&Node{Exchange: &Shuffle{Partitions: maxPartitions + 1}}), "partitions is 65537"},
		{stage(&Stage{Root: -1}), "root is -1"},
		{stage(&Stage{Nodes: make([]int32, maxNodes+1)}), "10001 operators, more"},
		{stage(&Stage{Partitions: -1}), "partitions is -1"},
		{stage(&Stage{Pass: -1}), "pass is -1"},
		{stage(&Stage{Sides: []int32{-1}}), "sides is -1"},
		{stage(&Stage{Outputs: []int32{1}}), "1 outputs have 0 numbers of partitions"},
		{stage(&Stage{Outputs: []int32{1}, OutputPartitions: []int32{maxPartitions + 1}}), "partitions is 65537"},
		{task(&Task{Index: maxTasks}), "index is 1000000"},
		{task(&Task{Lo: 2, Hi: 1}), "[2, 1)"},
		{task(&Task{Weight: -1}), "weight is -1"},
		{task(&Task{Weight: math.NaN()}), "weight is NaN"},
		{task(&Task{Hi: maxPartitions + 1}), "is 65537"},
		{task(&Task{Split: &Split{Count: -1}}), "items is -1"},
		{split(&Split{First: math.MaxInt64, Count: 1}), "too many"},
		{split(&Split{Bytes: -1}), "size is -1"},
		{file(&FileRange{Offset: -1}), "offset is -1"},
		{file(&FileRange{Length: -1}), "length is -1"},
		{file(&FileRange{Size: -1}), "size is -1"},
		{file(&FileRange{Offset: 2, Size: 1}), "offset 2"},
		{file(&FileRange{Offset: 1, Length: math.MaxInt64, Size: 2}), "offset 1"},
		{result(&Result{Metrics: &Metrics{RowsIn: -1}}), "rows in is -1"},
		{result(&Result{Metrics: &Metrics{SpilledBytes: -1}}), "spilled bytes is -1"},
		{result(&Result{Parts: []*Part{{Sink: -1}}}), "sink is -1"},
		{result(&Result{Parts: []*Part{{Bytes: -1}}}), "size is -1"},
		{result(&Result{Parts: make([]*Part, maxTasks+1)}), "1000001 parts"},
		{result(&Result{Shuffles: []*ShuffleOutput{{Exchange: maxNodes}}}), "exchange is 10000"},
		{result(&Result{Shuffles: []*ShuffleOutput{{Bytes: []int64{1, -1}}}}), "size is -1"},
		{result(&Result{Shuffles: []*ShuffleOutput{{Bytes: make([]int64, maxPartitions+1)}}}), "65537 partitions"},
		{result(&Result{Counters: counters}), "10001 counters"},
		{job(&Job{State: "done"}), `unknown state "done"`},
		{job(&Job{State: "running", Seconds: math.NaN()}), "NaN seconds"},
		{job(&Job{State: "running", CpuSeconds: -1}), "-1 seconds"},
		{job(&Job{State: "running", Parallelism: -1}), "parallelism is -1"},
		{job(&Job{State: "running", Stages: []*JobStage{{Tasks: -1}}}), "tasks is -1"},
		{job(&Job{State: "running", Outputs: []*JobOutput{{Parts: -1}}}), "parts is -1"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("error %v, want %q in it", c.err, c.want)
		}
	}
}

// A name of a file, or one that user code chose, need not be UTF-8; a field of text has to be.
func TestBytesThatAreNoText(t *testing.T) {
	path := "caf\xe9.txt"
	split, err := roundTrip(t, SplitOf(&plan.Split{Files: []plan.FileRange{{Path: path}}})).Plan()
	if err != nil || split.Files[0].Path != path {
		t.Errorf("received %+v, %v", split, err)
	}
	result, err := roundTrip(t, ResultOf(&plan.Result{Counters: map[string]int64{"a\xff": 1, "a\xfe": 2}})).Plan()
	if want := map[string]int64{"a\uFFFD": 3}; err != nil || !reflect.DeepEqual(result.Counters, want) {
		t.Errorf("received %+v, %v", result, err)
	}
	job, err := roundTrip(t, JobOf(&report.Job{State: "failed", Error: "no \xff"})).Report()
	if err != nil || job.Error != "no \uFFFD" {
		t.Errorf("received %+v, %v", job, err)
	}
}

func TestNumbersThatDoNotFit(t *testing.T) {
	for _, n := range []int{-2, math.MaxInt32 + 1, math.MaxInt} {
		if _, err := StageOf(&plan.Stage{Root: n}).Plan(); err == nil {
			t.Errorf("a stage of root %d arrived", n)
		}
	}
}

func roundTrip[M proto.Message](t *testing.T, m M) M {
	t.Helper()
	wire, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	back := m.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(wire, back); err != nil {
		t.Fatal(err)
	}
	return back.(M)
}
