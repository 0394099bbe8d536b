package transfer

import "net/http"

// Handler serves the outputs of a Registry under /v1/jobs/{job}/shuffle/.
type Handler struct{ registry *Registry }

// NewHandler returns a Handler.
func NewHandler(r *Registry) *Handler { return &Handler{registry: r} }

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }
