package master

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"

	"fletch/api"
	"fletch/fault"
	"fletch/master/state"
)

// Plugins are held outside the log, each under its SHA-256. A quorum of masters has one on disk before its upload is
// acknowledged, so that it survives what the log survives; the others, and workers, fetch it when they need it.

const (
	// pluginWait is how long sending a plugin from master to master may take.
	pluginWait = 2 * time.Minute
	// askPluginWait is how long a master may take to say whether it has a plugin.
	askPluginWait = 3 * time.Second
	// collectEvery is how often plugins are looked through that no job needs, collectGrace how long they stay.
	collectEvery = 10 * time.Minute
	collectGrace = time.Hour
)

// quorums remembers the plugins that a quorum was seen to have.
type quorums struct{ known sync.Map } // SHA-256 -> true

// HavePlugin tells, on the leader, whether a quorum has the plugin; elsewhere whether this master has it.
func (s *clusterServer) HavePlugin(ctx context.Context, r *api.HavePluginRequest) (*api.HavePluginReply, error) {
	_, have := s.plugins.Path(r.GetSha256())
	if l := s.leading.Load(); l != nil && have && !r.GetLocal() {
		have = s.quorum(ctx, r.GetSha256(), s.hasPlugin) == nil
	}
	return &api.HavePluginReply{Have: have}, nil
}

// hasPlugin asks another master whether it has a plugin.
func (m *Master) hasPlugin(ctx context.Context, peer api.ClusterClient, sha256 string) error {
	reply, err := peer.HavePlugin(ctx, &api.HavePluginRequest{Sha256: sha256, Local: true})
	if err == nil && !reply.GetHave() {
		err = errors.New("it does not have the plugin")
	}
	return err
}

// PutPlugin stores a plugin on a quorum.
func (s *clusterServer) PutPlugin(stream grpc.ClientStreamingServer[api.PluginChunk, api.PutPluginReply]) error {
	if _, err := s.leader(); err != nil {
		return err
	}
	if err := s.spreadPlugin(stream); err != nil {
		return err
	}
	return stream.SendAndClose(&api.PutPluginReply{})
}

// StorePlugin stores a plugin on this master.
func (s *clusterServer) StorePlugin(stream grpc.ClientStreamingServer[api.PluginChunk, api.PutPluginReply]) error {
	if err := s.receivePlugin(stream); err != nil {
		return err
	}
	return stream.SendAndClose(&api.PutPluginReply{})
}

// receivePlugin stores what a stream brings.
func (m *Master) receivePlugin(stream pluginStream) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	return m.plugins.Put(stream.Context(), first.GetSha256(), first.GetSize(), api.PluginReader(first, stream.Recv))
}

// quorum has f succeed for other masters until, with this one, a majority has it. f goes on for the others for a while.
func (m *Master) quorum(ctx context.Context, sha256 string, f func(ctx context.Context, peer api.ClusterClient, sha256 string) error) error {
	if _, known := m.quorums.known.Load(sha256); known {
		return nil
	}
	others := m.others()
	missing := (len(others) + 1) / 2 // a majority of all, without this one
	results := make(chan error, len(others))
	for _, address := range others {
		err := m.peers.goOn(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pluginWait)
			defer cancel()
			peer, err := m.peers.cluster(address)
			if err == nil {
				err = f(ctx, peer, sha256)
			}
			if err != nil {
				err = fmt.Errorf("master %s: %w", address, err)
			}
			results <- err
		})
		if err != nil {
			return err
		}
	}
	var errs []error
	for range others {
		if missing == 0 {
			break
		}
		select {
		case err := <-results:
			if err == nil {
				missing--
			} else {
				errs = append(errs, err)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if missing > 0 {
		return fault.As(fault.Retryable, fmt.Errorf("the plugin is not on a majority of the masters: %w", errors.Join(errs...)))
	}
	m.quorums.known.Store(sha256, true)
	return nil
}

// givePlugin sees that another master has a plugin of this master's.
func (m *Master) givePlugin(ctx context.Context, peer api.ClusterClient, sha256 string) error {
	if m.hasPlugin(ctx, peer, sha256) == nil {
		return nil
	}
	return m.sendPlugin(ctx, peer, sha256)
}

// sendPlugin sends a plugin of this master's to another.
func (m *Master) sendPlugin(ctx context.Context, peer api.ClusterClient, sha256 string) error {
	stream, err := peer.StorePlugin(ctx)
	if err != nil {
		return err
	}
	if err := m.chunks(sha256, stream.Send); err != nil {
		return err
	}
	_, err = stream.CloseAndRecv()
	return err
}

// chunks sends a plugin of this master's in pieces.
func (m *Master) chunks(sha256 string, send func(*api.PluginChunk) error) error {
	path, ok := m.plugins.Path(sha256)
	if !ok {
		return &api.NotFound{What: "plugin " + sha256}
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return api.SendPlugin(sha256, info.Size(), f, send)
}

// GetPlugin sends a plugin; one that this master lacks it fetches from the others first.
func (s *clusterServer) GetPlugin(r *api.GetPluginRequest, stream grpc.ServerStreamingServer[api.PluginChunk]) error {
	if _, ok := s.plugins.Path(r.GetSha256()); !ok && !r.GetLocal() {
		if err := s.fetchPlugin(stream.Context(), r.GetSha256()); err != nil {
			return err
		}
	}
	return s.chunks(r.GetSha256(), stream.Send)
}

// fetchPlugin gets a plugin from whichever master has it.
func (m *Master) fetchPlugin(ctx context.Context, sha256 string) error {
	ctx, cancel := context.WithTimeout(ctx, pluginWait)
	defer cancel()
	errs := []error{&api.NotFound{What: "plugin " + sha256}}
	for _, address := range m.others() {
		err := func() error {
			peer, err := m.peers.cluster(address)
			if err != nil {
				return err
			}
			// A master that hangs must not take up the time of the others.
			asking, cancel := context.WithTimeout(ctx, askPluginWait)
			defer cancel()
			if err := m.hasPlugin(asking, peer, sha256); err != nil {
				return err
			}
			stream, err := peer.GetPlugin(ctx, &api.GetPluginRequest{Sha256: sha256, Local: true})
			if err != nil {
				return err
			}
			first, err := stream.Recv()
			if err != nil {
				return err
			}
			return m.plugins.Put(ctx, sha256, first.GetSize(), api.PluginReader(first, stream.Recv))
		}()
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("master %s: %w", address, err))
	}
	return errors.Join(errs...)
}

// collectPlugins removes plugins that no job needs, until ctx ends.
func (m *Master) collectPlugins(ctx context.Context) error {
	ticks := time.NewTicker(collectEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
		var needed map[string]bool
		m.replica.Read(func(s *state.Machine) { needed = s.Plugins() })
		err := m.plugins.Collect(func(sha256 string) bool { return needed[sha256] }, collectGrace)
		m.quorums.known.Clear() // the other masters collect as well
		if err != nil {
			m.config.Log.Warn("collect plugins", "error", err)
		}
	}
}
