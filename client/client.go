// Package client talks to a cluster as its users do. A Client knows addresses of masters, finds the one that leads,
// follows it when another takes over, and sends again what got no answer: every call may be sent twice, as its effect is
// named by ids that the caller chooses.
//
// A call looks for a leader for as long as Config.Timeout and ends with a NoLeaderError then. While one answers, a call
// takes as long as its work: a Watch lasts as long as its job.
package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"fletch/api"
)

// Config says where the cluster is.
type Config struct {
	// Masters are addresses (host:port) of some masters; the others are learned from these.
	Masters []string
	// Timeout is how long a call looks for the master that leads. Default: 10 s.
	Timeout time.Duration
}

// Client is a connection to a cluster. It may be used from several goroutines.
type Client struct {
	timeout time.Duration

	mu struct {
		sync.Mutex
		addresses []string         // of all masters heard of, those of the configuration first
		leader    string           // the last one that said so; empty: unknown
		last      *api.StatusReply // of any master, while the leader was searched for
		conns     map[string]*grpc.ClientConn
	}
}

// New returns a client. It connects with its first call.
func New(config Config) (*Client, error) {
	if len(config.Masters) == 0 {
		return nil, errors.New("the address of a master is missing")
	}
	for _, address := range config.Masters {
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("%q is no address of a master: want host:port", address)
		}
	}
	c := &Client{timeout: cmp.Or(config.Timeout, 10*time.Second)}
	c.mu.addresses = slices.Clone(config.Masters)
	c.mu.conns = make(map[string]*grpc.ClientConn)
	return c, nil
}

// Dial returns a client that has found the master that leads.
func Dial(ctx context.Context, addresses []string) (*Client, error) {
	c, err := New(Config{Masters: addresses})
	if err != nil {
		return nil, err
	}
	s := search{client: c}
	if _, err := s.leader(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close ends the connections.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, conn := range c.mu.conns {
		errs = append(errs, conn.Close())
	}
	clear(c.mu.conns)
	return errors.Join(errs...)
}

// NewID returns a new identity for a job of this name: safe in file names, and not used before.
func NewID(name string) string {
	safe := strings.Map(func(r rune) rune {
		if r < 128 && (r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '-'
	}, name)
	suffix := make([]byte, 5)
	rand.Read(suffix) // it never fails: crypto/rand ends the process instead
	return strings.TrimLeft(strings.Trim(safe[:min(len(safe), 40)], "-")+"-"+hex.EncodeToString(suffix), "-")
}

// at returns the master at an address.
func (c *Client) at(address string) (api.ClusterClient, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn := c.mu.conns[address]
	if conn == nil {
		var err error
		conn, err = grpc.NewClient("passthrough:///"+address, api.DialOptions()...)
		if err != nil {
			return nil, fmt.Errorf("reach master %s: %w", address, err)
		}
		c.mu.conns[address] = conn
	}
	return api.NewClusterClient(conn), nil
}
