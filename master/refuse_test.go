package master

import (
	"path/filepath"
	"strings"
	"testing"

	"fletch/api"
	"fletch/engine/plan"
	"fletch/fault"
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
