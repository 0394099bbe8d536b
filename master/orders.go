package master

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"fletch/api"
	"fletch/fault"
	"fletch/master/replica"
	"fletch/master/schedule"
	"fletch/master/state"
)

// producers is what a stage reads, as it is sent to workers.
type producers struct {
	version uint64         // grows with the term too: a worker may have the list of an earlier leader
	parents []*state.Stage // the snapshots that the list was made from
	order   *api.ProducersOrder
	bytes   int // of order
	count   int // of the outputs
}

// start orders an attempt, after what the worker has to know for it.
func (l *leader) start(s schedule.Start) {
	l.number = max(l.number, s.Attempt.Number+1)
	w, j := l.workers[s.Worker], l.jobs[s.Attempt.Job]
	a := &attempt{id: s.Attempt, name: s.Attempt.String(), worker: w}
	w.running[a.id], l.running[a.id] = a, a

	c := w.connection
	sent := c.jobs[j.state.ID]
	if sent == nil {
		sent = &sentJob{producers: map[int]uint64{}}
		c.jobs[j.state.ID] = sent
		c.send(&api.MasterMessage{Message: &api.MasterMessage_Job{Job: jobOrder(j.state)}})
	}
	order := &api.StartOrder{Attempt: a.name, Job: j.state.ID, Task: api.TaskOf(&s.Task)}
	if len(j.state.Stages[s.Task.Stage].Parents) > 0 {
		p := l.producersOf(j, s.Task.Stage)
		if p.bytes > maxProducersBytes || p.count > api.MaxProducers {
			message := fmt.Sprintf("stage %d reads %d outputs, whose list of %d bytes no worker takes (%d outputs and %d bytes at the most): make fewer, larger inputs of the job's",
				s.Task.Stage, p.count, p.bytes, api.MaxProducers, maxProducersBytes)
			l.propose(state.Abort{Job: j.state.ID, Class: fault.Permanent, Message: message, At: time.Now()}, func(replica.Outcome) {})
			return // the end of the job frees the slot
		}
		if sent.producers[s.Task.Stage] != p.version {
			sent.producers[s.Task.Stage] = p.version
			c.send(&api.MasterMessage{Message: &api.MasterMessage_Producers{Producers: p.order}})
		}
		order.Producers = p.version
	}
	c.send(&api.MasterMessage{Message: &api.MasterMessage_Start{Start: order}})
}

// maxProducersBytes leaves room in a message for what is around the list.
const maxProducersBytes = api.MaxMessageBytes - 1<<20

// defaultMaxLine is the length of the longest line of text where a job's submitter chose none.
const defaultMaxLine = 16 << 20

// jobOrder describes a job to a worker.
func jobOrder(j *state.Job) *api.JobOrder {
	return &api.JobOrder{
		Job: j.ID, Plugin: j.Plugin, Args: j.Args, Graph: api.GraphOf(j.Graph), Stages: api.StagesOf(j.Plan()),
		MaxLineBytes: cmp.Or(j.Settings.MaxLineBytes, defaultMaxLine),
	}
}

// producersOf returns what a stage reads. The list is made once, and again only if a loss has changed what it was made of.
func (l *leader) producersOf(j *job, stage int) *producers {
	var parents []*state.Stage
	for _, p := range j.state.Stages[stage].Parents {
		parents = append(parents, j.state.Stages[p])
	}
	known := j.producers[stage]
	if known != nil && slices.Equal(known.parents, parents) {
		return known
	}
	p := &producers{parents: parents, order: &api.ProducersOrder{Job: j.state.ID, Stage: int32(stage)}}
	if p.version = l.term << 32; known != nil {
		p.version = known.version
	}
	p.version++
	p.order.Version = p.version
	p.list(j.state.Producers(stage), l.addressOf)
	p.bytes = proto.Size(p.order)
	j.producers[stage] = p
	return p
}

// list fills in who wrote what of each exchange. An attempt writes several exchanges at once, and stands in the list once.
func (p *producers) list(all map[int][]state.Producer, address func(worker string) string) {
	holders, attempts := map[string]uint32{}, map[state.AttemptID]uint32{}
	for _, exchange := range slices.Sorted(maps.Keys(all)) {
		m := &api.ExchangeProducers{Exchange: int32(exchange)}
		for _, producer := range all[exchange] {
			i, ok := attempts[producer.Attempt]
			if !ok {
				i = uint32(len(attempts))
				attempts[producer.Attempt] = i
				holder, ok := holders[producer.Worker]
				if !ok {
					holder = uint32(len(holders))
					holders[producer.Worker] = holder
					p.order.Workers = append(p.order.Workers, address(producer.Worker))
				}
				p.order.Attempts = append(p.order.Attempts, producer.Attempt.String())
				p.order.Holders = append(p.order.Holders, holder)
			}
			m.Attempts = append(m.Attempts, i)
		}
		p.order.Exchanges = append(p.order.Exchanges, m)
		p.count += len(m.Attempts)
	}
}

// addressOf returns where a worker serves its blocks. A winner's worker is not lost, so the loop knows it.
func (l *leader) addressOf(id string) string {
	if w := l.workers[id]; w != nil {
		return w.address
	}
	return ""
}
