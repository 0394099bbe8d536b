package worker

import (
	"errors"
	"io"
	"net/http"
	"time"

	"fletch/serve"
	"fletch/shuffle/transfer"
)

// handler serves blocks, logs and health.
func (a *agent) handler() http.Handler {
	live := func() error {
		select {
		case <-a.gone:
			return errors.New("the worker is ending")
		default:
			return nil
		}
	}
	ready := func() error {
		if a.link.leader.Load() == nil {
			return errors.New("not connected to a leader")
		}
		return live()
	}
	mux := http.NewServeMux()
	blocks := transfer.NewHandler(a.outputs.registry)
	a.meter.sends(blocks.SentBytes)
	mux.Handle("/v1/jobs/{job}/shuffle/", blocks)
	mux.HandleFunc("GET /v1/jobs/{job}/logs", a.serveLogs)
	mux.Handle("/", serve.Health(live, ready, a.meter.registry))
	return mux
}

// serveLogs sends a job's log, a line a logLine. With follow=1 it goes on until the job has ended.
func (a *agent) serveLogs(w http.ResponseWriter, r *http.Request) {
	log := a.logs.get(r.PathValue("job"))
	if log == nil {
		http.Error(w, "this worker has no log of the job", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	out := timedWriter{w, http.NewResponseController(w), a.config.waits.send}
	err := log.copyTo(r.Context(), out, r.FormValue("follow") == "1", out.flush)
	if err != nil && r.Context().Err() == nil {
		a.config.Log.Debug("a log was not sent to its end", "error", err)
		panic(http.ErrAbortHandler) // so that the reader does not take what it has for the whole
	}
}

// timedWriter breaks a reply off that its reader does not take.
type timedWriter struct {
	w       io.Writer
	control *http.ResponseController
	limit   time.Duration // of each piece
}

func (t timedWriter) Write(p []byte) (int, error) {
	if err := t.control.SetWriteDeadline(time.Now().Add(t.limit)); err != nil {
		return 0, err
	}
	return t.w.Write(p)
}

func (t timedWriter) flush() error {
	if err := t.control.SetWriteDeadline(time.Now().Add(t.limit)); err != nil {
		return err
	}
	return t.control.Flush()
}
