package master

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"fletch/api"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/test/fakeworker"
)

// TestMalformedGraphIsRefused submits what no client of this program would: it must not harm the master.
func TestMalformedGraphIsRefused(t *testing.T) {
	c := newCluster(t, 1)
	client := c.client()
	sha256, err := c.plugin(client)
	if err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(t.TempDir(), "out")
	for name, damage := range map[string]func(*api.Graph){
		"an input that is not there": func(g *api.Graph) { g.Nodes[2].Inputs = []int32{7} },
		"a cycle":                    func(g *api.Graph) { g.Nodes[1].Inputs = []int32{2} },
		"a source of nothing":        func(g *api.Graph) { g.Nodes[0].Source = nil },
		"a sink without a location":  func(g *api.Graph) { g.Nodes[2].Sink = nil },
		"a node in another's place":  func(g *api.Graph) { g.Nodes[1].Id = 2 },
		"no nodes":                   func(g *api.Graph) { g.Nodes = nil },
		"an unknown kind":            func(g *api.Graph) { g.Nodes[1].Kind = uint32(plan.Sink) + 1 },
	} {
		graph := twoStages(output, 10)
		damage(graph)
		_, err := client.Submit(t.Context(), &api.SubmitRequest{Id: "job-1", Graph: graph, Plugin: sha256})
		if err == nil || fault.ClassOf(err) != fault.Permanent {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, r := range map[string]*api.SubmitRequest{
		"no graph": {Id: "job-1", Plugin: sha256},
		"a name":   {Id: "../job", Plugin: sha256, Graph: twoStages(output, 10)},
	} {
		if _, err := client.Submit(t.Context(), r); err == nil || fault.ClassOf(err) != fault.Permanent {
			t.Errorf("%s: %v", name, err)
		}
	}
	reply, err := client.ListJobs(t.Context(), &api.ListJobsRequest{})
	if err != nil || len(reply.GetJobs()) > 0 || strings.Contains(reply.String(), "job-1") {
		t.Errorf("jobs %v, %v", reply, err)
	}
}

// TestSubmitAgainAfterTheEnd sends a large job again, of which little is kept once it has ended.
func TestSubmitAgainAfterTheEnd(t *testing.T) {
	c := newCluster(t, 1)
	c.worker(&fakeworker.Worker{ID: "w1", Slots: 10, Attempt: func(_ context.Context, _ *api.JobOrder, start *api.StartOrder) *api.AttemptEnded {
		return fakeworker.Failed(start, fault.As(fault.Permanent, errTest))
	}})
	large := func(output string) *api.Graph {
		graph := twoStages(output, 10)
		for range 1000 {
			n := proto.CloneOf(graph.GetNodes()[2])
			n.Id = int32(len(graph.GetNodes()))
			n.Sink.Path = fmt.Appendf(n.Sink.Path, "-%d", n.GetId())
			graph.Nodes = append(graph.Nodes, n)
		}
		return graph
	}
	output := filepath.Join(t.TempDir(), "out")
	r := &api.SubmitRequest{Id: "job-1", Graph: large(output)}
	c.submit(r)
	c.wait("job-1")
	if _, err := c.client().Submit(t.Context(), r); err != nil {
		t.Errorf("the same job: %v", err)
	}
	r.Graph = large(output + "-other")
	if _, err := c.client().Submit(t.Context(), r); err == nil || !strings.Contains(err.Error(), "is another one") {
		t.Errorf("another job: %v", err)
	}
}

// TestSubmitSpreadsThePlugin submits with a plugin that the leader alone has.
func TestSubmitSpreadsThePlugin(t *testing.T) {
	c := newCluster(t, 3)
	leader := c.leader()
	const text = "a plugin"
	sum := sha256.Sum256([]byte(text))
	name := hex.EncodeToString(sum[:])
	if err := leader.master.plugins.Put(t.Context(), name, int64(len(text)), strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	r := &api.SubmitRequest{Id: "job-1", Graph: twoStages(filepath.Join(t.TempDir(), "out"), 10), Plugin: name, User: strings.Repeat("u", 1000)}
	if _, err := c.client().Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	holders := 0
	for _, m := range c.masters {
		if _, have := m.master.plugins.Path(name); have {
			holders++
		}
	}
	if holders < 2 {
		t.Errorf("%d masters have the plugin of a job that was accepted, want a majority", holders)
	}
	reply, err := c.client().Audit(t.Context(), &api.AuditRequest{})
	if err != nil || len(reply.GetEntries()) != 1 || !strings.HasSuffix(reply.GetEntries()[0].GetUser(), "uu from 127.0.0.1") {
		t.Errorf("audit log %v, %v: want where the request came from, however long the name", reply, err)
	}
}
