package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"fletch/api"
)

// PutPlugin gives the cluster the plugin in a file, unless it has it already, and returns its SHA-256.
func (c *Client) PutPlugin(ctx context.Context, path string) (sha string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, f)
	if err != nil {
		return "", fmt.Errorf("read plugin: %w", err)
	}
	sha = hex.EncodeToString(hash.Sum(nil))
	have := false
	err = c.call(ctx, func(ctx context.Context, master api.ClusterClient) error {
		reply, err := master.HavePlugin(ctx, &api.HavePluginRequest{Sha256: sha})
		have = reply.GetHave()
		return err
	})
	if err != nil || have {
		return sha, err
	}
	err = c.call(ctx, func(ctx context.Context, master api.ClusterClient) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("read plugin: %w", err)
		}
		return send(ctx, master, sha, size, f)
	})
	return sha, err
}

// send sends a plugin in chunks; the first one names it.
func send(ctx context.Context, master api.ClusterClient, sha string, size int64, from io.Reader) error {
	stream, err := master.PutPlugin(ctx)
	if err != nil {
		return err
	}
	buf := make([]byte, api.ChunkBytes)
	chunk := &api.PluginChunk{Sha256: sha, Size: size}
	for {
		n, err := io.ReadFull(from, buf)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read plugin: %w", err)
		}
		if n == 0 {
			break
		}
		chunk.Data = buf[:n]
		if err := stream.Send(chunk); errors.Is(err, io.EOF) {
			break // the master has ended the call: its answer says why
		} else if err != nil {
			return err
		}
		chunk = &api.PluginChunk{}
	}
	_, err = stream.CloseAndRecv()
	return err
}
