package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"fletch/shuffle"
)

// get asks the bench's server.
func (b *bench) get(path string) (status int, header http.Header, body []byte) {
	b.t.Helper()
	client := http.Client{Transport: b.client.transport}
	response, err := client.Get(b.server.URL + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(response.Body); err != nil {
		b.t.Fatal(err)
	}
	return response.StatusCode, response.Header, body
}

const allBlocks = "/v1/jobs/job/shuffle/1/0-3?attempts=a0,a1,a2"

// However a stream is asked for, its stretches make up the whole, and each ends with a whole unit.
func TestStretches(t *testing.T) {
	b := newBench(t, 5000, 100, shuffle.Config{})
	_, header, whole := b.get(allBlocks)
	if n := header.Get("Content-Length"); n != fmt.Sprint(len(whole)) || len(whole) < 3*5000*100 {
		t.Fatalf("content length %s, came %d bytes", n, len(whole))
	}
	ends := map[int64]bool{} // of units
	for _, limit := range []int64{1, 1000, 70_000, 1 << 20} {
		var got []byte
		for len(got) < len(whole) {
			status, _, part := b.get(fmt.Sprintf("%s&offset=%d&limit=%d", allBlocks, len(got), limit))
			if status != http.StatusOK || int64(len(part)) < min(limit, int64(len(whole)-len(got))) {
				t.Fatalf("limit %d at %d: status %d with %d bytes", limit, len(got), status, len(part))
			}
			got = append(got, part...)
			if limit == 1 {
				ends[int64(len(got))] = true
			} else if !ends[int64(len(got))] {
				t.Fatalf("limit %d: a stretch ends at %d, within a unit", limit, len(got))
			}
		}
		if string(got) != string(whole) {
			t.Errorf("limit %d: the stretches are not the whole", limit)
		}
	}
	for _, offset := range []int{1, 17, 1000, 65_537, len(whole) - 1} { // of a transfer that broke off anywhere
		if _, _, rest := b.get(fmt.Sprintf("%s&offset=%d", allBlocks, offset)); string(rest) != string(whole[offset:]) {
			t.Errorf("from offset %d came %d bytes, want %d", offset, len(rest), len(whole)-offset)
		}
	}
	response, err := b.server.Client().Head(b.server.URL + allBlocks)
	if err != nil {
		t.Fatal(err)
	}
	if response.Body.Close(); response.ContentLength != int64(len(whole)) {
		t.Errorf("HEAD gives a length of %d, want %d", response.ContentLength, len(whole))
	}
}

func TestRefusals(t *testing.T) {
	b := newBench(t, 10, 10, shuffle.Config{})
	many := func(n int) string {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprint("attempt-", i)
		}
		return strings.Join(names, ",")
	}
	for _, test := range []struct {
		path   string
		status int
		reason string
	}{
		{"/v1/jobs/job/shuffle/1/0-3", 400, "attempts are missing"},
		{"/v1/jobs/job/shuffle/1/0-3?attempts=", 400, "attempts are missing"},
		{"/v1/jobs/job/shuffle/x/0-3?attempts=a0", 400, "exchange:"},
		{"/v1/jobs/job/shuffle/-1/0-3?attempts=a0", 400, "exchange:"},
		{"/v1/jobs/job/shuffle/1/0?attempts=a0", 400, "last partition:"},
		{"/v1/jobs/job/shuffle/1/3-3?attempts=a0", 400, "no partitions from 3 to below 3"},
		{"/v1/jobs/job/shuffle/1/3-2?attempts=a0", 400, "no partitions from 3 to below 2"},
		{"/v1/jobs/job/shuffle/1/0-4294967296?attempts=a0", 400, "last partition:"},
		{"/v1/jobs/job/shuffle/1/0-2147483647?attempts=a0", 400, "blocks, at most 1024"},
		{"/v1/jobs/job/shuffle/1/0-9?attempts=" + many(128), 400, "1152 blocks, at most 1024"},
		{"/v1/jobs/job/shuffle/1/0-1?attempts=" + many(129), 400, "129 attempts, at most 128"},
		{"/v1/jobs/job/shuffle/1/0-1?attempts=" + strings.Repeat("x", maxURL), 414, "at most 131072"},
		{"/v1/jobs/job/shuffle/1/0-1?attempts=%zz", 400, "invalid URL escape"},
		{allBlocks + "&offset=-1", 400, "offset:"},
		{allBlocks + "&offset=9223372036854775807", 400, "offset:"},
		{allBlocks + "&offset=4611686018427387903", 416, "offset 4611686018427387903 of a stream of"},
		{allBlocks + "&offset=8&limit=4611686018427387903", 200, ""},
		{allBlocks + "&limit=0", 400, "limit is zero"},
		{allBlocks + "&limit=x", 400, "limit:"},
		{"/v1/jobs/job/shuffle/1/0-3/verify", 400, "attempts are missing"},
	} {
		status, _, body := b.get(test.path)
		var said refusal
		if status != 200 {
			if err := json.Unmarshal(body, &said); err != nil {
				t.Errorf("%.100s: body %q: %v", test.path, body, err)
			}
		}
		if status != test.status || !strings.Contains(said.Reason, test.reason) {
			t.Errorf("%.100s: status %d, reason %q; want %d, %q", test.path, status, said.Reason, test.status, test.reason)
		}
	}
	if status, _, _ := b.get("/v1/jobs/job/shuffle/1"); status != http.StatusNotFound {
		t.Errorf("an address of nothing has status %d", status)
	}
	response, err := b.server.Client().Post(b.server.URL+allBlocks, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.Body.Close(); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST has status %d", response.StatusCode)
	}
}

// Outputs that are not there, or not whole, are named, all of them.
func TestGone(t *testing.T) {
	b := newBench(t, 10, 10, shuffle.Config{})
	for _, test := range []struct {
		path, reason string
		lost         []string
	}{
		{"/v1/jobs/job/shuffle/1/0-3?attempts=a0,x,y,a1", "attempt x has no output here", []string{"x", "y"}},
		{"/v1/jobs/other/shuffle/1/0-3?attempts=a0,a1", "attempt a0 has no output here", []string{"a0", "a1"}},
		{"/v1/jobs/job/shuffle/2/0-3?attempts=a0", "did not write to this exchange", []string{"a0"}},
		{"/v1/jobs/job/shuffle/1/2-4?attempts=a0", "did not write to this exchange", []string{"a0"}},
		{"/v1/jobs/job/shuffle/1/0-1/verify?attempts=x", "attempt x has no output here", []string{"x"}},
	} {
		status, _, body := b.get(test.path)
		var said gone
		if err := json.Unmarshal(body, &said); err != nil {
			t.Errorf("%s: body %q: %v", test.path, body, err)
		}
		if status != http.StatusNotFound || !slices.Equal(said.Attempts, test.lost) || !strings.Contains(said.Reason, test.reason) {
			t.Errorf("%s: status %d, lost %v, reason %q; want 404, %v, %q", test.path, status, said.Attempts, said.Reason, test.lost, test.reason)
		}
	}
}

// Each byte of a block that is flipped on the disk is found when the worker checks it, and those of other blocks are not.
func TestVerify(t *testing.T) {
	b := newBench(t, 10, 10, shuffle.Config{})
	file := shuffle.FileAt("a0", b.path(0))
	block, err := file.Block(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	section := block.Sections(0, 1<<40)[0]
	status, _, _ := b.get("/v1/jobs/job/shuffle/1/0-3/verify?attempts=a0,a1,a2")
	if status != http.StatusNoContent {
		t.Fatalf("whole copies have status %d", status)
	}
	whole := mustRead(t, b.path(0))
	end := int(section.Offset + section.Length)
	for i := range end {
		b.damage(0, i)
		want := http.StatusNoContent
		if int64(i) >= section.Offset {
			want = http.StatusGone
		}
		status, _, body := b.get("/v1/jobs/job/shuffle/1/1-2/verify?attempts=a1,a0")
		if status != want || want == http.StatusGone && !strings.Contains(string(body), `"lost":["a0"]`) {
			t.Errorf("byte %d flipped: status %d, body %s; want %d", i, status, body, want)
		}
		if status, _, _ = b.get(allBlocks); (status == http.StatusOK) != (want == http.StatusNoContent) {
			t.Errorf("byte %d flipped: after the check, the blocks have status %d", i, status)
		}
		if err := os.WriteFile(b.path(0), whole, 0o600); err != nil {
			t.Fatal(err)
		}
		b.registry.AddPath("job", "a0", b.path(0))
	}
}

// damage flips a byte of an attempt's file.
func (b *bench) damage(i, at int) {
	b.t.Helper()
	f, err := os.OpenFile(b.path(i), os.O_RDWR, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	var one [1]byte
	if _, err := f.ReadAt(one[:], int64(at)); err != nil {
		b.t.Fatal(err)
	}
	one[0] ^= 0x20
	if _, err := f.WriteAt(one[:], int64(at)); err != nil {
		b.t.Fatal(err)
	}
}

// Names of jobs and attempts arrive as they are.
func TestNamesAreEscaped(t *testing.T) {
	q := shuffle.Query{Exchange: 1, Lo: 2, Hi: 3, Attempts: []string{"a&b=c", "ü%2c #?+", "plain"}, Offset: 5, Limit: 6}
	var got shuffle.Query
	var job string
	var mux http.ServeMux
	mux.HandleFunc(blocksPattern, func(_ http.ResponseWriter, r *http.Request) {
		got, _ = parseQuery(r)
		job = r.PathValue("job")
	})
	u, err := url.Parse(blocksURL("host:1", "j/o b%", q))
	if err != nil {
		t.Fatal(err)
	}
	mux.ServeHTTP(nil, &http.Request{Method: http.MethodGet, URL: u, Host: u.Host})
	if job != "j/o b%" || fmt.Sprint(got) != fmt.Sprint(q) {
		t.Errorf("job %q, query %+v; want %+v", job, got, q)
	}
}

// counted counts what its connections send from files within the kernel: what net.TCPConn hands to sendfile.
type counted struct {
	net.Listener
	bytes *atomic.Int64
}

func (l counted) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{conn.(*net.TCPConn), l.bytes}, nil
}

type countedConn struct {
	*net.TCPConn
	bytes *atomic.Int64
}

func (c countedConn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	if limited, ok := r.(*io.LimitedReader); ok {
		if _, ok := limited.R.(*os.File); ok {
			c.bytes.Add(n)
		}
	}
	return n, err
}

// What is long goes from the file to the socket without a copy, for many readers at once, each from its own position.
func TestSendfile(t *testing.T) {
	b := newBench(t, 9000, 200, shuffle.Config{})
	_, _, whole := b.get(allBlocks)
	var sent atomic.Int64
	server := httptest.NewUnstartedServer(NewHandler(b.registry))
	server.Listener = counted{server.Listener, &sent}
	server.Start()
	defer server.Close()
	const readers = 8
	var g errgroup.Group
	for range readers {
		g.Go(func() error {
			body, n, err := b.client.Fetch(context.Background(), strings.TrimPrefix(server.URL, "http://"), shuffle.Query{
				Exchange: 1, Hi: 3, Attempts: []string{"a0", "a1", "a2"}, Limit: 1 << 40,
			})
			if err != nil {
				return err
			}
			defer body.Close()
			if got, err := io.ReadAll(body); err != nil || n != int64(len(whole)) || string(got) != string(whole) {
				return fmt.Errorf("%d of %d bytes came, error %v, and they are not those that stand in the files", len(got), n, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if n := sent.Load(); n < readers*int64(len(whole))*9/10 {
		t.Errorf("%d of %d bytes were sent without a copy", n, readers*len(whole))
	}
	b.client.Close()
}
