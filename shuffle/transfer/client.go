package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"fletch/shuffle"
)

const (
	dialTimeout    = 5 * time.Second
	idleTimeout    = time.Minute
	idlePerWorker  = 16       // connections
	readBytes      = 64 << 10 // of a connection at once, where no more is asked for
	maxHeaderBytes = 16 << 10 // of an answer
	maxReasonBytes = 1 << 20  // of an answer that is not blocks
)

// Client is a shuffle.Fetcher for one job.
type Client struct {
	job       string
	transport *http.Transport
}

var _ shuffle.Fetcher = (*Client)(nil)

// NewClient returns a Client. Close it after its last use.
func NewClient(job string) *Client {
	return &Client{job: job, transport: &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    idlePerWorker,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ReadBufferSize:         readBytes,
	}}
}

// Fetch implements shuffle.Fetcher.
func (c *Client) Fetch(ctx context.Context, worker string, q shuffle.Query) (io.ReadCloser, int64, error) {
	response, err := c.get(ctx, blocksURL(worker, c.job, q))
	if err != nil {
		return nil, 0, err
	}
	if response.StatusCode != http.StatusOK || response.ContentLength < 0 {
		return nil, 0, complaint(response)
	}
	return response.Body, response.ContentLength, nil
}

// Verify implements shuffle.Fetcher.
func (c *Client) Verify(ctx context.Context, worker string, exchange, partition int, attempt string) error {
	q := shuffle.Query{Exchange: exchange, Lo: partition, Hi: partition + 1, Attempts: []string{attempt}}
	response, err := c.get(ctx, verifyURL(worker, c.job, q))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusNoContent {
		return complaint(response)
	}
	return response.Body.Close()
}

// Close closes the connections that are idle. It is for when all calls have ended.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// get makes one request and follows nothing.
func (c *Client) get(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, &shuffle.RefusedError{Reason: err.Error()}
	}
	return c.transport.RoundTrip(request)
}

// complaint returns what an answer that is not the one asked for says, and closes it.
func complaint(response *http.Response) error {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxReasonBytes))
	if err != nil {
		return fmt.Errorf("it answers %s: %w", response.Status, err)
	}
	var said gone
	if err := json.Unmarshal(body, &said); err != nil {
		// Not from a Handler: a proxy, or another service at this address.
		return fmt.Errorf("it answers %s: %.200q", response.Status, body)
	}
	switch {
	case len(said.Attempts) > 0:
		return &shuffle.GoneError{Attempts: said.Attempts, Reason: said.Reason}
	case response.StatusCode >= 400 && response.StatusCode < 500:
		return &shuffle.RefusedError{Reason: said.Reason}
	default:
		return fmt.Errorf("it answers %s: %s", response.Status, said.Reason)
	}
}
