package transfer

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"fletch/shuffle"
)

// Patterns of the addresses, as http.ServeMux knows them.
const (
	blocksPattern = "GET /v1/jobs/{job}/shuffle/{exchange}/{partitions}"
	verifyPattern = "GET /v1/jobs/{job}/shuffle/{exchange}/{partitions}/verify"
)

// maxURL is the length of the longest request line that is answered: as many names as a query may have, as long as a
// file's name may be, each byte escaped.
const maxURL = 128 << 10

// blocksURL returns the address of a query.
func blocksURL(worker, job string, q shuffle.Query) string {
	return fmt.Sprintf("%s&offset=%d&limit=%d", address(worker, job, q, ""), q.Offset, q.Limit)
}

// verifyURL returns the address at which the blocks of a query are checked.
func verifyURL(worker, job string, q shuffle.Query) string { return address(worker, job, q, "/verify") }

func address(worker, job string, q shuffle.Query, end string) string {
	names := make([]string, len(q.Attempts))
	for i, a := range q.Attempts {
		names[i] = url.QueryEscape(a)
	}
	return fmt.Sprintf("http://%s/v1/jobs/%s/shuffle/%d/%d-%d%s?attempts=%s",
		worker, url.PathEscape(job), q.Exchange, q.Lo, q.Hi, end, strings.Join(names, ","))
}

// parseQuery reads the query of a request. Every value of it is within its bounds.
func parseQuery(r *http.Request) (shuffle.Query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return shuffle.Query{}, err
	}
	lo, hi, _ := strings.Cut(r.PathValue("partitions"), "-")
	n := numbers{}
	q := shuffle.Query{
		Exchange: int(n.parse("exchange", r.PathValue("exchange"), 31)),
		Lo:       int(n.parse("first partition", lo, 31)),
		Hi:       int(n.parse("last partition", hi, 31)),
		Attempts: strings.Split(values.Get("attempts"), ","),
		Limit:    1 << 62,
	}
	if values.Has("offset") {
		q.Offset = int64(n.parse("offset", values.Get("offset"), 62))
	}
	if values.Has("limit") {
		q.Limit = int64(n.parse("limit", values.Get("limit"), 62))
	}
	switch blocks := len(q.Attempts) * (q.Hi - q.Lo); {
	case n.err != nil:
		return shuffle.Query{}, n.err
	case q.Attempts[0] == "":
		return shuffle.Query{}, errors.New("attempts are missing")
	case len(q.Attempts) > shuffle.MaxAttempts:
		return shuffle.Query{}, fmt.Errorf("%d attempts, at most %d are answered", len(q.Attempts), shuffle.MaxAttempts)
	case q.Lo >= q.Hi:
		return shuffle.Query{}, fmt.Errorf("no partitions from %d to below %d", q.Lo, q.Hi)
	case blocks > shuffle.MaxBlocks:
		return shuffle.Query{}, fmt.Errorf("%d blocks, at most %d are answered", blocks, shuffle.MaxBlocks)
	case q.Limit == 0:
		return shuffle.Query{}, errors.New("limit is zero")
	}
	return q, nil
}

// numbers parses numbers and keeps the first error.
type numbers struct{ err error }

func (n *numbers) parse(what, s string, bits int) uint64 {
	v, err := strconv.ParseUint(s, 10, bits)
	if err != nil && n.err == nil {
		n.err = fmt.Errorf("%s: %w", what, err)
	}
	return v
}
