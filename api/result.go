package api

import "fletch/engine/plan"

// ResultOf returns the message of a result.
func ResultOf(r *plan.Result) *Result {
	m := &Result{Counters: countersOf(r.Counters), Metrics: MetricsOf(r.Metrics)}
	for _, s := range r.Shuffles {
		m.Shuffles = append(m.Shuffles, &ShuffleOutput{Exchange: narrow(s.Exchange), Bytes: s.Bytes})
	}
	for _, p := range r.Parts {
		m.Parts = append(m.Parts, &Part{
			Sink: narrow(p.Sink), Partition: narrow(p.Partition), Name: p.Name, Rows: p.Rows, Bytes: p.Bytes, Crc32C: p.CRC32C,
		})
	}
	return m
}

// Plan returns the result of a message.
func (m *Result) Plan() (*plan.Result, error) {
	c := &checker{message: "Result"}
	if !c.present(m != nil) || !c.count("shuffle outputs", len(m.GetShuffles()), maxNodes) || !c.count("parts", len(m.GetParts()), maxTasks) {
		return nil, c.err
	}
	r := &plan.Result{Counters: c.counters(m.GetCounters())}
	for _, s := range m.GetShuffles() {
		r.Shuffles = append(r.Shuffles, c.shuffleOutput(s))
	}
	for _, p := range m.GetParts() {
		r.Parts = append(r.Parts, plan.Part{
			Sink:      c.index("a part's sink", p.GetSink(), maxNodes),
			Partition: c.index("a part's partition", p.GetPartition(), maxTasks),
			Name:      p.GetName(),
			Rows:      c.size("a part's rows", p.GetRows()),
			Bytes:     c.size("a part's size", p.GetBytes()),
			CRC32C:    p.GetCrc32C(),
		})
	}
	metrics, err := m.GetMetrics().Plan()
	c.keep(err)
	r.Metrics = metrics
	if c.err != nil {
		return nil, c.err
	}
	return r, nil
}

func (c *checker) shuffleOutput(m *ShuffleOutput) plan.ShuffleOutput {
	s := plan.ShuffleOutput{Exchange: c.index("an exchange", m.GetExchange(), maxNodes)}
	if c.count("partitions of an exchange", len(m.GetBytes()), maxPartitions) {
		for _, n := range m.GetBytes() {
			s.Bytes = append(s.Bytes, c.size("a partition's size", n))
		}
	}
	return s
}

// MetricsOf returns the message of metrics.
func MetricsOf(m plan.Metrics) *Metrics {
	return &Metrics{
		RowsIn: m.RowsIn, BytesIn: m.BytesIn, RowsOut: m.RowsOut, BytesOut: m.BytesOut,
		ShuffleBytes: m.ShuffleBytes, SpilledBytes: m.SpilledBytes, Spills: m.Spills, SpillWaitNanos: m.SpillWaitNanos,
		GrantedBytes: m.GrantedBytes, PeakBytes: m.PeakBytes,
	}
}

// Plan returns the metrics of a message. One that is missing counts nothing.
func (m *Metrics) Plan() (plan.Metrics, error) {
	c := &checker{message: "Metrics"}
	out := plan.Metrics{
		RowsIn:         c.size("rows in", m.GetRowsIn()),
		BytesIn:        c.size("bytes in", m.GetBytesIn()),
		RowsOut:        c.size("rows out", m.GetRowsOut()),
		BytesOut:       c.size("bytes out", m.GetBytesOut()),
		ShuffleBytes:   c.size("shuffle bytes", m.GetShuffleBytes()),
		SpilledBytes:   c.size("spilled bytes", m.GetSpilledBytes()),
		Spills:         c.size("spills", m.GetSpills()),
		SpillWaitNanos: c.size("the wait for spills", m.GetSpillWaitNanos()),
		GrantedBytes:   c.size("granted bytes", m.GetGrantedBytes()),
		PeakBytes:      c.size("peak bytes", m.GetPeakBytes()),
	}
	return out, c.err
}

// countersOf makes the names that user code chose fit for a message. Those that become alike are added up.
func countersOf(counters map[string]int64) map[string]int64 {
	if len(counters) == 0 {
		return nil
	}
	out := make(map[string]int64, len(counters))
	for name, n := range counters {
		out[Text(name)] += n
	}
	return out
}

func (c *checker) counters(m map[string]int64) map[string]int64 {
	if !c.count("counters", len(m), maxCounters) || len(m) == 0 {
		return nil
	}
	return m
}
