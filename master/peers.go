package master

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"

	"fletch/api"
)

// peers are the connections to the other masters, made when they are needed.
type peers struct {
	mu struct {
		sync.Mutex
		connections map[string]*grpc.ClientConn // by address
		closed      bool
	}
	work sync.WaitGroup // of goOn; joined by close
}

var errStopping = errors.New("this master stops")

// cluster returns a client of the master at an address.
func (p *peers) cluster(address string) (api.ClusterClient, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed {
		return nil, errStopping
	}
	if c := p.mu.connections[address]; c != nil {
		return api.NewClusterClient(c), nil
	}
	c, err := grpc.NewClient("passthrough:///"+address, api.DialOptions()...)
	if err != nil {
		return nil, err
	}
	if p.mu.connections == nil {
		p.mu.connections = map[string]*grpc.ClientConn{}
	}
	p.mu.connections[address] = c
	return api.NewClusterClient(c), nil
}

// goOn runs f, which asks other masters, behind a call that need not wait for its end. After close it does nothing, and
// says so.
func (p *peers) goOn(f func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed {
		return errStopping
	}
	p.work.Go(f)
	return nil
}

// close ends the connections, and with them what goes on.
func (p *peers) close() error {
	defer p.work.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, c := range p.mu.connections {
		errs = append(errs, c.Close())
	}
	p.mu.connections, p.mu.closed = nil, true
	return errors.Join(errs...)
}

// others returns the addresses of the other masters.
func (m *Master) others() []string {
	var addresses []string
	for _, s := range m.replica.Servers() {
		if s.ID != m.config.ID {
			addresses = append(addresses, s.Address)
		}
	}
	return addresses
}

// askWait is how long another master may take to say that it is there.
const askWait = 500 * time.Millisecond

// ask fills in which masters answer, and their pids.
func (m *Master) ask(ctx context.Context, masters []*api.Master) {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	var wait sync.WaitGroup
	for _, master := range masters {
		if master.GetId() == m.config.ID {
			master.Pid, master.Reachable = m.pid, true
			continue
		}
		wait.Go(func() {
			peer, err := m.peers.cluster(master.GetAddress())
			if err != nil {
				return
			}
			if reply, err := peer.Ping(ctx, &api.PingRequest{}); err == nil {
				master.Pid, master.Reachable = reply.GetPid(), true
			}
		})
	}
	wait.Wait()
}

// Ping says that this master is there.
func (s *clusterServer) Ping(context.Context, *api.PingRequest) (*api.PingReply, error) {
	return &api.PingReply{Id: s.config.ID, Cluster: s.config.Cluster, Pid: s.pid}, nil
}
