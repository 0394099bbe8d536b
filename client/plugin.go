package client

import (
	"context"
	"fmt"
	"io"
	"os"

	"fletch/api"
)

// PutPlugin gives the cluster the plugin in a file, of that SHA-256, unless it has it already.
func (c *Client) PutPlugin(ctx context.Context, path, sha256 string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	have := false
	err = c.call(ctx, func(ctx context.Context, master api.ClusterClient) error {
		reply, err := master.HavePlugin(ctx, &api.HavePluginRequest{Sha256: sha256})
		have = reply.GetHave()
		return err
	})
	if err != nil || have {
		return err
	}
	return c.call(ctx, func(ctx context.Context, master api.ClusterClient) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("read plugin: %w", err)
		}
		stream, err := master.PutPlugin(ctx)
		if err != nil {
			return err
		}
		if err := api.SendPlugin(sha256, info.Size(), f, stream.Send); err != nil {
			return err
		}
		_, err = stream.CloseAndRecv()
		return err
	})
}
