package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/grpc"

	"fletch/api"
	"fletch/plugins"
)

// fetch sees that a plugin is here, which it gets from the masters otherwise, and that this program can open it. It may be
// called from anywhere.
func (a *agent) fetch(ctx context.Context, sha256 string) error {
	ctx, cancel := context.WithTimeout(ctx, a.config.waits.fetch)
	defer cancel()
	path, here := a.plugins.Path(sha256)
	fetched := !here
	if fetched {
		if err := a.download(ctx, sha256); err != nil {
			return err
		}
		if path, here = a.plugins.Path(sha256); !here {
			return fmt.Errorf("plugin %.12s was stored and is gone", sha256)
		}
	}
	err := a.config.check(path, sha256, fetched)
	if errors.Is(err, plugins.ErrDamaged) {
		// The next attempt fetches it again.
		a.warn("remove a damaged plugin", a.plugins.Collect(func(other string) bool { return other != sha256 }, 0))
	}
	if err != nil {
		return fmt.Errorf("this worker can't open the job's plugin: %w", err)
	}
	return nil
}

func checkPlugin(path, sha256 string, fetched bool) error {
	if fetched {
		return plugins.Fits(path)
	}
	_, err := plugins.Preflight(path, sha256)
	return err
}

// download gets a plugin from the leader, or from another master.
func (a *agent) download(ctx context.Context, sha256 string) error {
	var masters []string
	if leader := a.link.leader.Load(); leader != nil {
		masters = append(masters, *leader)
	}
	for _, m := range a.config.Masters {
		if !slices.Contains(masters, m) {
			masters = append(masters, m)
		}
	}
	var errs []error
	for _, address := range masters {
		err := a.downloadFrom(ctx, address, sha256)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("fetch plugin %.12s from master %s: %w", sha256, address, err))
	}
	return errors.Join(errs...)
}

func (a *agent) downloadFrom(ctx context.Context, address, sha256 string) (err error) {
	conn, err := grpc.NewClient(address, api.DialOptions()...)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx) // ends the stream
	defer cancel()
	stream, err := api.NewClusterClient(conn).GetPlugin(ctx, &api.GetPluginRequest{Sha256: sha256})
	if err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	return a.plugins.Put(ctx, sha256, first.GetSize(), api.PluginReader(first, stream.Recv))
}
