package serve

import (
	"errors"
	"strings"
)

// protocol is what a connection speaks.
type protocol int

const (
	foreign protocol = iota
	raftProtocol
	grpcProtocol
	httpProtocol
)

var errForeign = errors.New("not a protocol of this port")

// prefixes are the first bytes of each protocol. None begins another one.
var prefixes = []struct {
	text string
	is   protocol
}{
	{"FLETCH-RAFT/", raftProtocol},
	{"PRI * HTTP/2.0", grpcProtocol},
	{"GET ", httpProtocol},
	{"HEAD ", httpProtocol},
	{"POST ", httpProtocol},
	{"PUT ", httpProtocol},
	{"PATCH ", httpProtocol},
	{"DELETE ", httpProtocol},
	{"OPTIONS ", httpProtocol},
}

const longestPrefix = len("PRI * HTTP/2.0")

// protocolOf returns what a connection that begins with first speaks, and whether that is known already.
func protocolOf(first []byte) (p protocol, known bool) {
	known = true
	for _, prefix := range prefixes {
		if strings.HasPrefix(string(first), prefix.text) {
			return prefix.is, true
		}
		if strings.HasPrefix(prefix.text, string(first)) {
			known = false
		}
	}
	return foreign, known
}
