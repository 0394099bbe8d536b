package master

import (
	"context"
	"errors"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"fletch/api"
)

type pluginStream = grpc.ClientStreamingServer[api.PluginChunk, api.PutPluginReply]

// maxRelayed is the largest plugin that goes on to the other masters while it still comes in: its chunks stay in memory
// until all have them. A larger one is stored first.
const maxRelayed = 64 << 20

// spreadPlugin stores what a stream brings, on a quorum.
func (m *Master) spreadPlugin(stream pluginStream) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	sha256 := first.GetSha256()
	if _, have := m.plugins.Path(sha256); have || first.GetSize() > maxRelayed {
		if err := m.plugins.Put(stream.Context(), sha256, first.GetSize(), api.PluginReader(first, stream.Recv)); err != nil {
			return err
		}
		return m.quorum(stream.Context(), sha256, m.sendPlugin)
	}
	r := &relay{}
	r.mu.chunks, r.mu.more = []*api.PluginChunk{first}, make(chan struct{})
	g, ctx := errgroup.WithContext(stream.Context())
	g.Go(func() error {
		err := m.plugins.Put(ctx, sha256, first.GetSize(), api.PluginReader(first, func() (*api.PluginChunk, error) {
			chunk, err := stream.Recv()
			r.add(chunk, err)
			return chunk, err
		}))
		if err == nil {
			r.add(nil, io.EOF) // Put may not have read so far
		} else {
			r.add(nil, err)
		}
		return err
	})
	g.Go(func() error { return m.quorum(ctx, sha256, r.send) })
	return g.Wait()
}

// relay holds the chunks of a plugin that is coming in.
type relay struct {
	mu struct {
		sync.Mutex
		chunks []*api.PluginChunk
		end    error         // why no more come: io.EOF after the last one
		more   chan struct{} // closed by the next add
	}
}

// add adds what came; nothing after an error.
func (r *relay) add(chunk *api.PluginChunk, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.end != nil {
		return
	}
	if r.mu.end = err; err == nil {
		r.mu.chunks = append(r.mu.chunks, chunk)
	}
	close(r.mu.more)
	r.mu.more = make(chan struct{})
}

// at waits for chunk i.
func (r *relay) at(ctx context.Context, i int) (*api.PluginChunk, error) {
	for {
		r.mu.Lock()
		chunks, end, more := r.mu.chunks, r.mu.end, r.mu.more
		r.mu.Unlock()
		switch {
		case i < len(chunks):
			return chunks[i], nil
		case end != nil:
			return nil, end
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// send sends the plugin to another master as it comes in.
func (r *relay) send(ctx context.Context, peer api.ClusterClient, _ string) error {
	stream, err := peer.StorePlugin(ctx)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		chunk, err := r.at(ctx, i)
		if err == nil {
			err = stream.Send(chunk)
		}
		if errors.Is(err, io.EOF) {
			break // of the plugin, or of the stream: then the answer says why
		}
		if err != nil {
			return err
		}
	}
	_, err = stream.CloseAndRecv()
	return err
}
