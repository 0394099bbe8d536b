package worker

import (
	"errors"
	"fmt"
	"os"
	"time"

	"fletch/api"
	"fletch/fault"
)

// job is a job of which this worker has attempts, an executor or outputs.
type job struct {
	order     *api.JobOrder
	dir       string // for intermediate data
	log       *jobLog
	outputs   *jobOutputs
	child     *child                   // its executor; nil if there is none
	producers map[int32]*api.Producers // the latest, by stage
	attempts  map[string]*attempt
	waiting   []*attempt // those that no executor has yet, in the order of their orders
	ended     bool       // it is in agent.jobs no more
}

// order takes the description of a job.
func (a *agent) order(m *api.JobOrder) {
	if j := a.jobs[m.GetJob()]; j != nil {
		a.prepare(j)
		return
	}
	j, err := a.newJob(m)
	if err != nil {
		// Its attempts end with an error, as there is no such job here.
		a.config.Log.Error("could not begin a job", "job", m.GetJob(), "error", err)
		return
	}
	a.jobs[m.GetJob()] = j
	a.prepare(j)
}

func (a *agent) newJob(m *api.JobOrder) (*job, error) {
	id := m.GetJob()
	if !validName(id) {
		return nil, fmt.Errorf("job %q: that is no name of a job", id)
	}
	j := &job{order: m, dir: a.directory(id), producers: map[int32]*api.Producers{}, attempts: map[string]*attempt{}}
	if err := os.Mkdir(j.dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if j.log, err = a.logs.open(id); err != nil {
		return nil, err
	}
	j.outputs = a.outputs.newJob(id, j.dir)
	return j, nil
}

// setProducers takes the list of attempts that a stage's tasks read.
func (a *agent) setProducers(m *api.ProducersOrder) {
	j := a.jobs[m.GetJob()]
	if j == nil {
		return
	}
	p := &api.Producers{
		Stage: m.GetStage(), Version: m.GetVersion(), Attempts: m.GetAttempts(), Holders: m.GetHolders(), Exchanges: m.GetExchanges(),
	}
	for _, address := range m.GetWorkers() {
		if address == a.address {
			address = ""
		}
		p.Workers = append(p.Workers, address)
	}
	j.producers[p.GetStage()] = p
	if c := j.child; c != nil && c.loaded {
		c.say(producersMessage(p))
	}
}

func producersMessage(p *api.Producers) *api.AgentMessage {
	return &api.AgentMessage{Message: &api.AgentMessage_Producers{Producers: p}}
}

// prepare sees that the plugin is here and checked, so that an attempt need not wait for it.
func (a *agent) prepare(j *job) {
	sha256 := j.order.GetPlugin()
	if _, here := a.plugins.Path(sha256); here && a.checked[sha256] || a.fetching[sha256] {
		return
	}
	a.fetching[sha256] = true
	a.group.Go(func() error {
		err := a.fetch(a.ctx, sha256)
		a.post(func() { a.fetched(sha256, err) })
		return nil
	})
}

// fetched goes on with the jobs that have waited for a plugin.
func (a *agent) fetched(sha256 string, err error) {
	delete(a.fetching, sha256)
	a.checked[sha256] = err == nil
	for _, j := range a.jobs {
		switch {
		case j.order.GetPlugin() != sha256:
		case err != nil:
			a.failWaiting(j, err)
		default:
			a.advance(j)
		}
	}
}

// failWaiting ends the attempts that can't be started.
func (a *agent) failWaiting(j *job, err error) {
	for _, t := range j.waiting {
		a.fail(t, err)
	}
}

// advance brings waiting attempts to an executor, as far as that is possible now.
func (a *agent) advance(j *job) {
	switch c := j.child; {
	case len(j.waiting) == 0:
	case c == nil:
		if path, here := a.plugins.Path(j.order.GetPlugin()); here && a.checked[j.order.GetPlugin()] {
			a.employ(j, path)
		} else {
			a.prepare(j)
		}
	case !c.loaded || c.verdict != nil:
	default:
		for _, t := range j.waiting {
			t.sent, t.grew = true, time.Now()
			c.say(&api.AgentMessage{Message: &api.AgentMessage_Start{Start: &api.StartAttempt{
				Attempt: t.name, Task: t.order.GetTask(), Producers: t.order.GetProducers(),
			}}})
		}
		j.waiting = nil
	}
}

// employ gives a job the spare executor, or a new one.
func (a *agent) employ(j *job, path string) {
	c := a.spare
	if a.spare = nil; c == nil {
		c = a.spawn()
	}
	c.job, j.child = j, c
	c.outputs.Store(j.outputs)
	c.printed.attach(j.log)
	c.limit = a.shareBytes()
	c.granted = c.limit
	c.loadBy = time.Now().Add(a.config.waits.load)
	o := j.order
	c.say(&api.AgentMessage{Message: &api.AgentMessage_Load{Load: &api.Load{
		Job: o.GetJob(), Plugin: path, Sha256: o.GetPlugin(), Args: o.GetArgs(), Graph: o.GetGraph(), Stages: o.GetStages(), Dir: j.dir,
		MaxLineBytes: o.GetMaxLineBytes(), Parallelism: int32(a.config.Parallelism), Slots: int32(a.config.Slots),
		Limits: &api.SetLimits{MemoryBytes: c.limit},
	}}})
	a.share()
}

// loaded goes on with a job whose executor has loaded it, or could not.
func (a *agent) loaded(c *child, m *api.Loaded) {
	a.keepSpare()
	c.loadBy = time.Time{}
	j := c.job
	if err := m.GetError().Err(); err != nil {
		c.verdict = &verdict{}
		c.end()
		a.failWaiting(j, fmt.Errorf("load the job: %w", err))
		return
	}
	c.loaded = true
	for _, p := range j.producers {
		c.say(producersMessage(p))
	}
	a.advance(j)
}

// endJob lets go of a job.
func (a *agent) endJob(id string) {
	j := a.jobs[id]
	if j == nil {
		return
	}
	delete(a.jobs, id)
	j.ended = true
	for _, t := range j.attempts {
		a.fail(t, errJobEnded)
	}
	for name, holder := range a.held {
		if holder == j {
			delete(a.held, name)
		}
	}
	a.warn("drop a job's outputs", j.outputs.end())
	if c := j.child; c != nil {
		c.verdict = &verdict{}
		c.end()
		a.share()
		return
	}
	a.clear(j)
}

// clear removes what is left of a job that has ended, after its executor.
func (a *agent) clear(j *job) {
	if a.jobs[j.order.GetJob()] == nil { // it may have begun again
		a.warn("close a job's log", j.log.end())
	}
	needed := map[string]bool{}
	for _, other := range a.jobs {
		needed[other.order.GetPlugin()] = true
	}
	a.group.Go(func() error {
		a.warn("remove a job's directory", os.RemoveAll(j.dir))
		a.warn("collect plugins", a.plugins.Collect(func(sha256 string) bool { return needed[sha256] }, pluginsFor))
		return nil
	})
}

// pluginsFor is how long a plugin stays that no job needs.
const pluginsFor = time.Hour

var errJobEnded = fault.As(fault.Cancelled, errors.New("the job has ended"))

var errNoJob = fault.As(fault.Retryable, errors.New("this worker was not told of the job, or could not begin it"))
