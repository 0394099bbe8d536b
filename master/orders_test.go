package master

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"fletch/api"
	"fletch/master/state"
)

// TestProducersList lists two exchanges that some of the same attempts have written, on two workers.
func TestProducersList(t *testing.T) {
	producer := func(stage, task int, worker string) state.Producer {
		return state.Producer{Attempt: state.AttemptID{Job: "a", Stage: stage, Task: task}, Worker: worker}
	}
	p := &producers{order: &api.ProducersOrder{}}
	p.list(map[int][]state.Producer{
		9: {producer(0, 0, "w1"), producer(0, 1, "w2"), producer(2, 0, "w1")},
		4: {producer(0, 0, "w1"), producer(0, 1, "w2")},
		7: {},
	}, func(worker string) string { return worker + ":1" })
	want := &api.ProducersOrder{
		Workers: []string{"w1:1", "w2:1"}, Attempts: []string{"a_0.0_0_0.0", "a_0.0_1_0.0", "a_2.0_0_0.0"}, Holders: []uint32{0, 1, 0},
		Exchanges: []*api.ExchangeProducers{
			{Exchange: 4, Attempts: []uint32{0, 1}}, {Exchange: 7}, {Exchange: 9, Attempts: []uint32{0, 1, 2}},
		},
	}
	if !proto.Equal(p.order, want) || p.count != 5 {
		t.Errorf("%d outputs: %v, want %v", p.count, p.order, want)
	}
}
