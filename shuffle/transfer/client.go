package transfer

import (
	"context"
	"errors"
	"io"

	"fletch/shuffle"
)

// Client is a shuffle.Fetcher for one job.
type Client struct{ job string }

var _ shuffle.Fetcher = (*Client)(nil)

// NewClient returns a Client.
func NewClient(job string) *Client { return &Client{job: job} }

// Fetch implements shuffle.Fetcher.
func (c *Client) Fetch(ctx context.Context, worker string, q shuffle.Query) (io.ReadCloser, int64, error) {
	return nil, 0, errors.ErrUnsupported
}

// Verify implements shuffle.Fetcher.
func (c *Client) Verify(ctx context.Context, worker string, exchange, partition int, attempt string) error {
	return errors.ErrUnsupported
}

// Close closes idle connections.
func (c *Client) Close() {}
