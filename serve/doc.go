// Package serve is what daemons share on their listening side: one port that carries gRPC, Raft and HTTP, told apart by
// the first bytes of a connection; the rule that nothing listens beyond this machine unless told to; and the pages that
// say how a daemon does. It knows no messages.
package serve
