package replica

import (
	"maps"
	"slices"

	"fletch/api"
	"fletch/engine/plan"
)

// splitsOf returns the messages of splits by node, in the order of nodes: equal splits are equal bytes.
func splitsOf(splits map[int][]plan.Split) []*api.NodeSplits {
	var out []*api.NodeSplits
	for _, node := range slices.Sorted(maps.Keys(splits)) {
		m := &api.NodeSplits{Node: narrow(node)}
		for i := range splits[node] {
			m.Splits = append(m.Splits, api.SplitOf(&splits[node][i]))
		}
		out = append(out, m)
	}
	return out
}

func planSplits(list []*api.NodeSplits) (map[int][]plan.Split, error) {
	out := make(map[int][]plan.Split, len(list))
	for _, m := range list {
		splits := make([]plan.Split, len(m.GetSplits()))
		for i, s := range m.GetSplits() {
			split, err := s.Plan()
			if err != nil {
				return nil, err
			}
			splits[i] = *split
		}
		out[int(m.GetNode())] = splits
	}
	return out, nil
}
