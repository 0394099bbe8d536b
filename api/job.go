package api

import "fletch/report"

// JobOf returns the message of a job's report. It leaves open who submitted the job, when, and the class of its error.
func JobOf(j *report.Job) *Job {
	m := &Job{
		Id:              j.ID,
		Name:            Text(j.Name),
		State:           string(j.State),
		Counters:        countersOf(j.Counters),
		Error:           Text(j.Error),
		Seconds:         j.Seconds,
		CpuSeconds:      j.CPUSeconds,
		InputBytes:      j.InputBytes,
		PeakMemoryBytes: j.PeakMemoryBytes,
		Parallelism:     narrow(j.Parallelism),
	}
	for i := range j.Stages {
		m.Stages = append(m.Stages, jobStageOf(&j.Stages[i]))
	}
	for _, o := range j.Outputs {
		m.Outputs = append(m.Outputs, &JobOutput{Path: Text(o.Path), Parts: int64(o.Parts), Rows: o.Rows, Bytes: o.Bytes})
	}
	return m
}

// Report returns the job's report of a message.
func (m *Job) Report() (*report.Job, error) {
	c := &checker{message: "Job"}
	if !c.present(m != nil) || !c.count("stages", len(m.GetStages()), maxNodes) || !c.count("outputs", len(m.GetOutputs()), maxNodes) {
		return nil, c.err
	}
	j := &report.Job{
		ID:              m.GetId(),
		Name:            m.GetName(),
		State:           c.state(m.GetState()),
		Counters:        c.counters(m.GetCounters()),
		Error:           m.GetError(),
		Seconds:         c.seconds(m.GetSeconds()),
		CPUSeconds:      c.seconds(m.GetCpuSeconds()),
		InputBytes:      c.size("its input", m.GetInputBytes()),
		PeakMemoryBytes: c.size("its memory", m.GetPeakMemoryBytes()),
		Parallelism:     int(c.size("its parallelism", int64(m.GetParallelism()))),
	}
	for _, s := range m.GetStages() {
		j.Stages = append(j.Stages, c.jobStage(s))
	}
	for _, o := range m.GetOutputs() {
		j.Outputs = append(j.Outputs, report.Output{
			Path:  o.GetPath(),
			Parts: int(c.size("an output's parts", o.GetParts())),
			Rows:  c.size("an output's rows", o.GetRows()),
			Bytes: c.size("an output's size", o.GetBytes()),
		})
	}
	if c.err != nil {
		return nil, c.err
	}
	return j, nil
}

func (c *checker) state(s string) report.State {
	switch state := report.State(s); state {
	case report.Waiting, report.Running, report.Succeeded, report.Failed, report.Cancelled:
		return state
	default:
		c.fail("unknown state %.100q", s)
		return report.Waiting
	}
}

// seconds returns s unless it is negative or not a number.
func (c *checker) seconds(s float64) float64 {
	if !(s >= 0) {
		c.fail("%g seconds", s)
		return 0
	}
	return s
}

func jobStageOf(s *report.Stage) *JobStage {
	return &JobStage{
		Id:            narrow(s.ID),
		Name:          Text(s.Name),
		Tasks:         int64(s.Tasks),
		Completed:     int64(s.Completed),
		Running:       int64(s.Running),
		Attempts:      int64(s.Attempts),
		Metrics:       MetricsOf(s.Metrics),
		Seconds:       s.Seconds,
		ExpectedBytes: s.ExpectedBytes,
		Skew:          SkewOf(s.Skew),
	}
}

func (c *checker) jobStage(m *JobStage) report.Stage {
	metrics, err := m.GetMetrics().Plan()
	c.keep(err)
	skew, err := m.GetSkew().Plan()
	c.keep(err)
	return report.Stage{
		ID:            c.index("a stage's id", m.GetId(), maxNodes),
		Name:          m.GetName(),
		Tasks:         int(c.size("a stage's tasks", m.GetTasks())),
		Completed:     int(c.size("its completed tasks", m.GetCompleted())),
		Running:       int(c.size("its running tasks", m.GetRunning())),
		Attempts:      int(c.size("its attempts", m.GetAttempts())),
		Metrics:       metrics,
		Seconds:       c.seconds(m.GetSeconds()),
		ExpectedBytes: c.size("its input", m.GetExpectedBytes()),
		Skew:          skew,
	}
}
