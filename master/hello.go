package master

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"fletch/api"
)

// The bounds on what a worker may say of itself.
const (
	maxSlots       = 4096
	maxReported    = 100_000 // attempts, and as many jobs: it has a few of each for a slot
	maxVersionText = 300     // bytes
)

// checkHello refuses a worker that belongs elsewhere, or says of itself what can't be. Its state.Register is checked once
// more when it is applied.
func checkHello(h *api.Hello, cluster string) error {
	switch {
	case h.GetCluster() != "" && h.GetCluster() != cluster:
		return fmt.Errorf("worker %.100q belongs to cluster %.100q, this is %s: give it another directory, or the addresses of its own masters",
			h.GetId(), h.GetCluster(), cluster)
	case h.GetSlots() < 1 || h.GetSlots() > maxSlots:
		return fmt.Errorf("worker %.100q offers %d slots: want 1 to %d", h.GetId(), h.GetSlots(), maxSlots)
	case !validAddress(h.GetAddress()):
		return fmt.Errorf("worker %.100q says that it is reached at %.100q: want host:port, as its --advertise", h.GetId(), h.GetAddress())
	case len(h.GetRunning()) > maxReported || len(h.GetJobs()) > maxReported:
		return fmt.Errorf("worker %.100q reports %d attempts and %d jobs: want %d at most", h.GetId(), len(h.GetRunning()), len(h.GetJobs()), maxReported)
	case len(h.GetVersion()) > maxVersionText:
		return fmt.Errorf("worker %.100q has a version of %d bytes: want %d at most", h.GetId(), len(h.GetVersion()), maxVersionText)
	}
	return nil
}

// validAddress accepts a host and a port that others can dial, and nothing that would mean more in a URL.
func validAddress(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || strings.ContainsAny(host, "/?#@ \t\r\n\\") {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}
