package transfer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"

	"fletch/shuffle"
)

// Handler serves the outputs of a Registry under /v1/jobs/{job}/shuffle/.
type Handler struct {
	registry *Registry
	mux      http.ServeMux
	sent     atomic.Int64
}

// NewHandler returns a Handler.
func NewHandler(r *Registry) *Handler {
	h := &Handler{registry: r}
	h.mux.HandleFunc(blocksPattern, h.blocks)
	h.mux.HandleFunc(verifyPattern, h.verify)
	return h
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.RequestURI) > maxURL {
		refuse(w, http.StatusRequestURITooLong, fmt.Errorf("an address of %d bytes, at most %d are read", len(r.RequestURI), maxURL))
		return
	}
	h.mux.ServeHTTP(w, r)
}

// SentBytes returns how much of the outputs has been sent, whole answers alone.
func (h *Handler) SentBytes() int64 { return h.sent.Load() }

// blocks answers a query with its stretch of the stream.
func (h *Handler) blocks(w http.ResponseWriter, r *http.Request) {
	q, blocks := h.choose(w, r)
	if blocks == nil {
		return
	}
	total := blocks.length()
	if q.Offset >= total {
		refuse(w, http.StatusRequestedRangeNotSatisfiable, fmt.Errorf("offset %d of a stream of %d bytes", q.Offset, total))
		return
	}
	end := total
	if q.Limit < total-q.Offset {
		end = blocks.boundary(q.Offset + q.Limit)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(end-q.Offset, 10))
	if r.Method == http.MethodHead {
		return
	}
	if err := blocks.send(r.Context(), w, q.Offset, end); err != nil {
		panic(http.ErrAbortHandler) // the reader sees a transfer that breaks off, and asks again
	}
	h.sent.Add(end - q.Offset)
}

// verify reads the blocks of a query where they stand. The answer is empty if they are as they were written.
func (h *Handler) verify(w http.ResponseWriter, r *http.Request) {
	q, blocks := h.choose(w, r)
	if blocks == nil {
		return
	}
	lost := &gone{}
	for i, b := range blocks {
		switch err := b.Verify(r.Context()); {
		case err == nil:
		case r.Context().Err() != nil:
			return
		case !shuffle.Exhausted(err):
			lost.add(q.Attempts[i%len(q.Attempts)], err.Error())
		default:
			refuse(w, http.StatusServiceUnavailable, err)
			return
		}
	}
	if len(lost.Attempts) > 0 {
		answer(w, http.StatusGone, lost)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// choose returns the blocks that a request asks for, or answers it by itself.
func (h *Handler) choose(w http.ResponseWriter, r *http.Request) (shuffle.Query, selection) {
	q, err := parseQuery(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return q, nil
	}
	blocks, lost, err := h.registry.choose(r.PathValue("job"), q)
	switch {
	case err != nil:
		refuse(w, http.StatusServiceUnavailable, err)
	case lost != nil:
		answer(w, http.StatusNotFound, lost)
	}
	return q, blocks
}

// refusal is the body of an answer without blocks.
type refusal struct {
	Reason string `json:"reason"`
}

func refuse(w http.ResponseWriter, status int, err error) {
	answer(w, status, refusal{Reason: err.Error()})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) //nolint:errcheck // who does not hear it asks again
}
