package state

// tree is a persistent array of a stage's tasks. Setting one copies the nodes on its path and shares the rest, so old
// snapshots stay as they are; a flat slice would copy every task's pointer with each commit. Each node counts its
// pending tasks, so that a search for one skips what is committed.
type tree struct {
	root   *node
	len    int
	height int // levels of nodes above the leaves
}

const (
	widthBits = 6
	width     = 1 << widthBits
)

// node holds either children or tasks. Only the last node of a level may be shorter than width.
type node struct {
	pending int // tasks below that are not committed
	kids    []*node
	tasks   []*Task
}

// newTree takes n > 0 tasks; task i is made by calling task(i).
func newTree(n int, task func(i int) *Task) tree {
	level := make([]*node, 0, (n+width-1)/width)
	for lo := 0; lo < n; lo += width {
		leaf := &node{tasks: make([]*Task, 0, min(width, n-lo))}
		for i := lo; i < min(lo+width, n); i++ {
			leaf.tasks = append(leaf.tasks, task(i))
		}
		leaf.pending = leaf.count()
		level = append(level, leaf)
	}
	height := 0
	for ; len(level) > 1; height++ {
		var up []*node
		for lo := 0; lo < len(level); lo += width {
			parent := &node{kids: level[lo:min(lo+width, len(level))]}
			parent.pending = parent.count()
			up = append(up, parent)
		}
		level = up
	}
	return tree{root: level[0], len: n, height: height}
}

func (n *node) count() int {
	sum := 0
	for _, kid := range n.kids {
		sum += kid.pending
	}
	for _, t := range n.tasks {
		if !t.Committed {
			sum++
		}
	}
	return sum
}

// at returns task i < len.
func (t tree) at(i int) *Task {
	n := t.root
	for level := t.height; level > 0; level-- {
		n = n.kids[i>>(level*widthBits)&(width-1)]
	}
	return n.tasks[i&(width-1)]
}

// set returns the tree with another task at i.
func (t tree) set(i int, task *Task) tree {
	delta := 0
	switch was := t.at(i); {
	case task.Committed && !was.Committed:
		delta = -1
	case was.Committed && !task.Committed:
		delta = 1
	}
	t.root = t.root.set(t.height, i, task, delta)
	return t
}

func (n *node) set(level, i int, task *Task, delta int) *node {
	c := &node{pending: n.pending + delta}
	slot := i >> (level * widthBits) & (width - 1)
	if level == 0 {
		c.tasks = append(c.tasks, n.tasks...)
		c.tasks[slot] = task
		return c
	}
	c.kids = append(c.kids, n.kids...)
	c.kids[slot] = n.kids[slot].set(level-1, i, task, delta)
	return c
}

// pending returns the first task at or after from that is not committed, nil where there is none.
func (t tree) pending(from int) *Task {
	if t.root == nil || from >= t.len {
		return nil
	}
	return t.root.find(t.height, from)
}

// find looks below n at or after from, counted within n.
func (n *node) find(level, from int) *Task {
	if n.pending == 0 {
		return nil
	}
	if level == 0 {
		for _, t := range n.tasks[min(from, len(n.tasks)):] {
			if !t.Committed {
				return t
			}
		}
		return nil
	}
	first := from >> (level * widthBits)
	for k := first; k < len(n.kids); k++ {
		within := 0
		if k == first {
			within = from & (1<<(level*widthBits) - 1)
		}
		if t := n.kids[k].find(level-1, within); t != nil {
			return t
		}
	}
	return nil
}

// changed yields the tasks below n that differ from those below was, a node of the same place that may be nil. It returns
// false once yield has.
func (n *node) changed(was *node, yield func(*Task) bool) bool {
	if n == was {
		return true
	}
	for k, kid := range n.kids {
		var before *node
		if was != nil {
			before = was.kids[k]
		}
		if !kid.changed(before, yield) {
			return false
		}
	}
	for k, t := range n.tasks {
		if (was == nil || was.tasks[k] != t) && !yield(t) {
			return false
		}
	}
	return true
}
