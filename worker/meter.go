package worker

import (
	"github.com/prometheus/client_golang/prometheus"

	"fletch/api"
	"fletch/fault"
	"fletch/serve"
)

// meter counts what the agent does, for /metrics.
type meter struct {
	registry  *prometheus.Registry
	started   prometheus.Counter
	ended     *prometheus.CounterVec // by outcome
	executors prometheus.Counter
}

func newMeter(a *agent) *meter {
	m := &meter{
		registry:  serve.NewRegistry(),
		started:   prometheus.NewCounter(prometheus.CounterOpts{Name: "fletch_worker_attempts_started_total", Help: "Attempts that were ordered."}),
		ended:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fletch_worker_attempts_ended_total", Help: "Attempts that ended, by outcome."}, []string{"outcome"}),
		executors: prometheus.NewCounter(prometheus.CounterOpts{Name: "fletch_worker_executors_started_total", Help: "Executor processes that were started."}),
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	m.registry.MustRegister(m.started, m.ended, m.executors,
		gauge("fletch_worker_connected", "1 while the worker is connected to a leader.", func() float64 {
			if a.link.leader.Load() == nil {
				return 0
			}
			return 1
		}),
		gauge("fletch_worker_block_bytes", "Shuffle blocks in memory.", func() float64 {
			bytes, _ := a.outputs.used()
			return float64(bytes)
		}),
		gauge("fletch_worker_resident_bytes", "Memory of the executors and of blocks.", func() float64 {
			n, _ := ask(a, a.residentBytes)
			return float64(n)
		}),
		gauge("fletch_worker_attempts_running", "Attempts that were ordered and have not ended.", func() float64 {
			n, _ := ask(a, func() int { return len(a.attempts) })
			return float64(n)
		}),
	)
	return m
}

// sends says where to ask how many bytes of blocks other workers were sent.
func (m *meter) sends(bytes func() int64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(
		prometheus.CounterOpts{Name: "fletch_worker_block_bytes_sent_total", Help: "Shuffle blocks that were sent to other workers."},
		func() float64 { return float64(bytes()) }))
}

// conclude counts the end of an attempt.
func (m *meter) conclude(e *api.AttemptEnded) {
	outcome := "succeeded"
	if err := e.GetError().Err(); err != nil {
		outcome = fault.ClassOf(err).String()
	}
	m.ended.WithLabelValues(outcome).Inc()
}
