package shuffle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fletch/engine/coro"
	"fletch/fault"
)

// twin is a Fetcher without a network: it serves what a store has written, and lets a test break the way.
type twin struct {
	store *Store
	// reply, if set, changes an answer: its bytes, and how it ends. It is told how many answers went before.
	reply func(n int, q Query, b []byte) (io.Reader, error)
	// intact, if set, is the worker's word on its copy.
	intact func(attempt string, partition int) error

	mu      sync.Mutex
	queries []Query
	checks  int
}

func (f *twin) Fetch(ctx context.Context, _ string, q Query) (io.ReadCloser, int64, error) {
	f.mu.Lock()
	n := len(f.queries)
	f.queries = append(f.queries, q)
	f.mu.Unlock()
	b, err := f.stretch(q)
	if err != nil {
		return nil, 0, err
	}
	if f.reply == nil {
		return io.NopCloser(bytes.NewReader(b)), int64(len(b)), nil
	}
	r, err := f.reply(n, q, b)
	if err != nil {
		return nil, 0, err
	}
	return untilDone{ctx, r}, int64(len(b)), nil
}

// stretch returns the bytes that q names.
func (f *twin) stretch(q Query) ([]byte, error) {
	if len(q.Attempts) > MaxAttempts || len(q.Attempts)*(q.Hi-q.Lo) > MaxBlocks || q.Lo >= q.Hi || q.Limit < 1 {
		return nil, &RefusedError{Reason: fmt.Sprintf("query %+v", q)}
	}
	var all []byte
	end := int64(0)
	for p := q.Lo; p < q.Hi; p++ {
		for _, a := range q.Attempts {
			out := f.store.output(a)
			if out == nil {
				return nil, &GoneError{Attempts: []string{a}, Reason: "never heard of it"}
			}
			b, err := out.file.Block(q.Exchange, p)
			if err != nil {
				return nil, err
			}
			if start := int64(len(all)); end < q.Offset+q.Limit {
				end = start + b.Boundary(min(q.Offset+q.Limit-start, b.Length()))
			}
			all = append(all, b.Header...)
			for _, s := range b.Sections(0, b.Length()) {
				section := make([]byte, s.Length)
				if err := b.File().ReadAt(section, s.Offset); err != nil {
					return nil, err
				}
				all = append(all, section...)
			}
		}
	}
	return all[q.Offset:end], nil
}

func (f *twin) Verify(_ context.Context, _ string, _, partition int, attempt string) error {
	f.mu.Lock()
	f.checks++
	f.mu.Unlock()
	if f.intact == nil {
		return nil
	}
	return f.intact(attempt, partition)
}

// untilDone is a body whose reads end with the context.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(b []byte) (int, error) {
	n, err := u.r.Read(b)
	if err == errStuck {
		<-u.ctx.Done()
	}
	if u.ctx.Err() != nil {
		return 0, u.ctx.Err()
	}
	return n, err
}

func (untilDone) Close() error { return nil }

// errStuck has a body wait for its context.
var errStuck = errors.New("nothing comes")

// afar is a store with outputs, and another that fetches them.
type afar struct {
	sched     scheduler
	rows      []row
	twin      *twin
	reader    *Store
	producers []Producer
}

const afarPartitions = 3

// newAfar writes two attempts, of two segments, with a partition that is empty. They are the producers a, b, a.
func newAfar(t *testing.T) *afar {
	f := &afar{sched: startScheduler(t), rows: rows(24, 2)}
	writer := newStore(t, Config{Durable: true, FrameBytes: 300, BufferBytes: 2000})
	f.twin = &twin{store: writer}
	f.reader = newStore(t, Config{Fetch: f.twin})
	err := f.sched.run(func(c *coro.Coroutine) error {
		for _, a := range []string{"a", "b"} {
			if _, err := write(c, writer, a, f.rows, 7, afarPartitions); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"a", "b"} {
		f.producers = append(f.producers, Producer{Attempt: a, Worker: "there:1"})
	}
	t.Cleanup(func() {
		if n := f.reader.ahead.mu.used; n != 0 {
			t.Errorf("%d bytes are taken to read ahead", n)
		}
		for _, s := range []*Store{writer, f.reader} {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return f
}

// read reads all partitions and returns errWhole if they are what was written.
func (f *afar) read() error {
	return f.sched.run(func(c *coro.Coroutine) error {
		got, err := readFrom(c, f.reader, f.producers, 0, afarPartitions)
		if err != nil {
			return err
		}
		var want []string
		for p := range afarPartitions {
			for range f.producers {
				want = append(want, of(f.rows, p)...)
			}
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("came back as %v", got)
		}
		return errWhole
	})
}

// length returns the bytes of the whole stream.
func (f *afar) length(t *testing.T) int {
	b, err := f.twin.stretch(Query{Exchange: 1, Hi: afarPartitions, Attempts: []string{"a", "b"}, Limit: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	return len(b)
}

// flip flips a byte of the stream as it goes by, so many times.
func flip(at, times int) func(int, Query, []byte) (io.Reader, error) {
	return func(_ int, q Query, b []byte) (io.Reader, error) {
		if i := int64(at) - q.Offset; i >= 0 && i < int64(len(b)) && times > 0 {
			b[i] ^= 1 << (at % 8)
			times--
		}
		return bytes.NewReader(b), nil
	}
}

// A byte that is flipped on the way is found, the worker finds its copy whole, and another transfer brings it right.
func TestEveryByteFlippedOnTheWayIsMended(t *testing.T) {
	f := newAfar(t)
	for at := range f.length(t) {
		f.twin.reply, f.twin.checks, f.twin.queries = flip(at, 1), 0, nil
		if err := f.read(); err != errWhole {
			t.Errorf("byte %d: %v", at, err)
		}
		if f.twin.checks != 1 || len(f.twin.queries) != 2 {
			t.Errorf("byte %d: the worker was asked to check %d times and for %d stretches, want 1 and 2", at, f.twin.checks, len(f.twin.queries))
		}
	}
}

// What comes damaged twice from a whole copy is the reader's trouble: its attempt fails, and no producer is blamed.
func TestEveryByteFlippedTwiceIsAnError(t *testing.T) {
	f := newAfar(t)
	for at := range f.length(t) {
		f.twin.reply = flip(at, 2)
		err := f.read()
		if !errors.Is(err, errOnTheWay) || fault.ClassOf(err) != fault.Retryable {
			t.Errorf("byte %d: error is %v of class %v, want %v", at, err, fault.ClassOf(err), errOnTheWay)
		}
	}
}

// What the worker finds damaged on its disk is lost.
func TestEveryByteFlippedOnDiskIsALoss(t *testing.T) {
	f := newAfar(t)
	f.twin.intact = func(attempt string, _ int) error {
		return &GoneError{Attempts: []string{attempt}, Reason: "the disk has it so"}
	}
	for at := range f.length(t) {
		f.twin.reply = flip(at, 1)
		err := f.read()
		lost, ok := errors.AsType[*LostError](err)
		if !ok || len(lost.Attempts) != 1 || fault.ClassOf(err) != fault.FetchFailed || !strings.Contains(err.Error(), "worker there:1: ") {
			t.Errorf("byte %d: error is %v of class %v, want a LostError", at, err, fault.ClassOf(err))
		}
	}
}

// A transfer that breaks off goes on where it broke off.
func TestEveryCutIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newAfar(t)
		for at := range f.length(t) {
			f.twin.queries = nil
			f.twin.reply = func(n int, q Query, b []byte) (io.Reader, error) {
				if n == 0 {
					return bytes.NewReader(b[:at]), nil
				}
				return bytes.NewReader(b), nil
			}
			if err := f.read(); err != errWhole {
				t.Errorf("cut at %d: %v", at, err)
			}
			if q := f.twin.queries; len(q) != 2 || q[1].Offset != int64(at) {
				t.Errorf("cut at %d: the queries are %+v, want one that goes on at %d", at, q, at)
			}
		}
	})
}

// misled is a worker that answers other queries than it was asked.
type misled struct {
	*twin
	change func(*Query)
}

func (f misled) Fetch(ctx context.Context, worker string, q Query) (io.ReadCloser, int64, error) {
	q.Attempts = slices.Clone(q.Attempts)
	f.change(&q)
	return f.twin.Fetch(ctx, worker, q)
}

// Blocks of another order, attempt or partition than was asked for are not taken for those.
func TestForeignBlocks(t *testing.T) {
	f := newAfar(t)
	for name, change := range map[string]func(*Query){
		"order":     func(q *Query) { slices.Reverse(q.Attempts) },
		"partition": func(q *Query) { q.Lo, q.Hi = q.Lo+1, q.Hi+1 },
		"fewer":     func(q *Query) { q.Attempts = q.Attempts[1:] },
	} {
		f.reader.config.Fetch = misled{f.twin, change}
		err := f.sched.run(func(c *coro.Coroutine) error {
			_, err := readFrom(c, f.reader, f.producers, 0, 1)
			return err
		})
		if err == nil || fault.ClassOf(err) != fault.Retryable {
			t.Errorf("%s: error is %v of class %v", name, err, fault.ClassOf(err))
		}
	}
}

// A worker that is not there for all of a reader's patience has lost its outputs, all of them.
func TestWorkerGoneForGood(t *testing.T) {
	stuck := func(int, Query, []byte) (io.Reader, error) { return errReader{errStuck}, nil }
	for name, test := range map[string]struct {
		reply func(int, Query, []byte) (io.Reader, error)
		text  string
		most  time.Duration
	}{
		"refuses connections": {func(int, Query, []byte) (io.Reader, error) { return nil, errors.New("connection refused") }, "connection refused", 40 * time.Second},
		"sends nothing":       {stuck, errSlow.Error(), 60 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newAfar(t)
				f.twin.reply = test.reply
				start := time.Now()
				err := f.read()
				lost, ok := errors.AsType[*LostError](err)
				if !ok || !slices.Equal(lost.Attempts, []string{"a", "b"}) || !strings.Contains(err.Error(), test.text) {
					t.Errorf("error is %v, want a loss of a and b: %s", err, test.text)
				}
				if took := time.Since(start); took < defaultPatience || took > test.most {
					t.Errorf("it took %v, want %v to %v", took, defaultPatience, test.most)
				}
			})
		})
	}
}

// A worker that comes back within a reader's patience is no trouble.
func TestWorkerComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newAfar(t)
		back := time.Now().Add(defaultPatience - time.Second)
		f.twin.reply = func(_ int, _ Query, b []byte) (io.Reader, error) {
			if time.Now().Before(back) {
				return nil, errors.New("connection refused")
			}
			return bytes.NewReader(b), nil
		}
		if err := f.read(); err != errWhole {
			t.Error(err)
		}
	})
}

// However long a try takes, a worker has three.
func TestWorkerHasThreeTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newAfar(t)
		f.reader.config.TryTimeout = 2 * defaultPatience
		f.twin.reply = func(n int, _ Query, b []byte) (io.Reader, error) {
			if n < minTries-1 {
				return errReader{errStuck}, nil
			}
			return bytes.NewReader(b), nil
		}
		if err := f.read(); err != errWhole {
			t.Error(err)
		}
	})
}

// What is long may take long.
func TestLongFrameHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newAfar(t)
		all := []row{{key: strings.Repeat("x", 20<<20)}}
		f.twin.reply = func(_ int, _ Query, b []byte) (io.Reader, error) {
			time.Sleep(defaultTryTimeout - time.Second)
			return later{bytes.NewReader(b), new(bool)}, nil
		}
		err := f.sched.run(func(c *coro.Coroutine) error {
			if _, err := write(c, f.twin.store, "long", all, 1, 1); err != nil {
				return err
			}
			got, err := readFrom(c, f.reader, []Producer{{Attempt: "long", Worker: "there:1"}}, 0, 1)
			if err == nil && !slices.Equal(got, of(all, 0)) {
				t.Errorf("read %v", got)
			}
			return err
		})
		if err != nil || len(f.twin.queries) != 1 {
			t.Errorf("%d queries, error %v", len(f.twin.queries), err)
		}
	})
}

// later keeps its reader waiting for nearly as long as 20 MiB may take.
type later struct {
	*bytes.Reader
	waited *bool
}

func (l later) Read(b []byte) (int, error) {
	if !*l.waited {
		time.Sleep(defaultTryTimeout + 19*time.Second)
		*l.waited = true
	}
	return l.Reader.Read(b)
}

// A reader has a few transfers under way at once, and one that it needs.
func TestTransfersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newAfar(t)
		var flying, most atomic.Int64
		f.twin.reply = func(_ int, _ Query, b []byte) (io.Reader, error) {
			most.Store(max(most.Load(), flying.Add(1)))
			defer flying.Add(-1)
			time.Sleep(time.Second)
			return bytes.NewReader(b), nil
		}
		f.producers = nil
		for i := range 3 * maxFlying {
			f.producers = append(f.producers, Producer{Attempt: "a", Worker: fmt.Sprint("worker-", i)})
		}
		if err := f.read(); err != errWhole {
			t.Error(err)
		}
		if n := most.Load(); n < maxFlying || n > maxFlying+1 {
			t.Errorf("%d transfers at once, want %d, and one that is needed", n, maxFlying)
		}
	})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// The worker's word is taken at once: what is gone is gone, and what is refused is the reader's mistake.
func TestFinalAnswers(t *testing.T) {
	f := newAfar(t)
	for _, test := range []struct {
		err   error
		lost  []string
		class fault.Class
	}{
		{&GoneError{Attempts: []string{"b", "somebody else's"}, Reason: "gone"}, []string{"b"}, fault.FetchFailed},
		{&GoneError{Attempts: []string{"somebody else's"}, Reason: "gone"}, nil, fault.Retryable},
		{&RefusedError{Reason: "no"}, nil, fault.Retryable},
	} {
		f.twin.queries = nil
		f.twin.reply = func(int, Query, []byte) (io.Reader, error) { return nil, test.err }
		err := f.read()
		lost, _ := errors.AsType[*LostError](err)
		if fault.ClassOf(err) != test.class || (lost == nil) != (test.lost == nil) || lost != nil && !slices.Equal(lost.Attempts, test.lost) {
			t.Errorf("%v: error is %v of class %v, want class %v and %v lost", test.err, err, fault.ClassOf(err), test.class, test.lost)
		}
		if len(f.twin.queries) != 1 {
			t.Errorf("%v: %d queries, want one", test.err, len(f.twin.queries))
		}
	}
	f.reader.config.Fetch = nil
	if err := f.read(); !errors.Is(err, errNoFetcher) {
		t.Errorf("error is %v, want %v", err, errNoFetcher)
	}
}

// A reader that is cancelled, while a transfer hangs or before the next try, ends with the cause at once, and so does its
// transfer.
func TestCancelledFetch(t *testing.T) {
	for name, reply := range map[string]func(int, Query, []byte) (io.Reader, error){
		"in a transfer": func(int, Query, []byte) (io.Reader, error) { return errReader{errStuck}, nil },
		"between tries": func(int, Query, []byte) (io.Reader, error) { return nil, io.ErrUnexpectedEOF },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newAfar(t)
				f.twin.reply = reply
				start := time.Now()
				c := f.sched.Spawn(coro.Spec{Name: "reader"}, func(c *coro.Coroutine) error {
					_, err := readFrom(c, f.reader, f.producers, 0, 1)
					return err
				})
				synctest.Wait()
				c.Cancel(errCause)
				<-c.Done()
				if err := c.Err(); !errors.Is(err, errCause) || time.Since(start) != 0 {
					t.Errorf("after %v the error is %v, want %v at once", time.Since(start), err, errCause)
				}
			}) // which waits for the I/O goroutine
		})
	}
}

// What is fetched ahead stays within the budget, whatever the number of workers, and is given back.
func TestReadAheadIsBounded(t *testing.T) {
	const workers, limit = 9, 1 << 20
	sched := startScheduler(t)
	writer := newStore(t, Config{Durable: true, FrameBytes: 20_000})
	var taken atomic.Int64
	reader := newStore(t, Config{AheadBytes: limit})
	reader.config.Fetch = &twin{store: writer, reply: func(_ int, _ Query, b []byte) (io.Reader, error) {
		taken.Store(max(taken.Load(), reader.aheadUsed()))
		return bytes.NewReader(b), nil
	}}
	all := rows(20_000, 2)
	err := sched.run(func(c *coro.Coroutine) error {
		var producers []Producer
		var want []string
		for i := range 3 * workers {
			a := fmt.Sprint("attempt-", i)
			if _, err := write(c, writer, a, all, 8192, 2); err != nil {
				return err
			}
			producers = append(producers, Producer{Attempt: a, Worker: fmt.Sprint("worker-", i%workers)})
			want = append(want, of(all, 0)...)
		}
		got, err := readFrom(c, reader, producers, 0, 1)
		if err == nil && !slices.Equal(got, want) {
			t.Error("what came back is not what was written")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := taken.Load(); n == 0 || n > limit+maxChunkBytes {
		t.Errorf("up to %d bytes were taken to read ahead, want at most %d", n, limit)
	}
	if n := reader.aheadUsed(); n != 0 {
		t.Errorf("%d bytes are taken to read ahead", n)
	}
	for _, s := range []*Store{writer, reader} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func (s *Store) aheadUsed() int64 {
	s.ahead.mu.Lock()
	defer s.ahead.mu.Unlock()
	return s.ahead.mu.used
}

// Many attempts and partitions are asked for in queries that a worker answers.
func TestQueriesStayInTheirBounds(t *testing.T) {
	sched := startScheduler(t)
	const partitions = 20
	for _, attempts := range []int{1, MaxAttempts, MaxAttempts + 1, 2*MaxAttempts + 3} {
		writer := newStore(t, Config{Durable: true})
		fetch := &twin{store: writer}
		reader := newStore(t, Config{Fetch: fetch})
		var want []string
		err := sched.run(func(c *coro.Coroutine) error {
			var producers []Producer
			for i := range attempts {
				a := fmt.Sprint("attempt-", i)
				all := []row{{key: a, partition: uint32(i % partitions)}, {key: a, partition: partitions - 1}}
				if _, err := write(c, writer, a, all, 2, partitions); err != nil {
					return err
				}
				producers = append(producers, Producer{Attempt: a, Worker: "there:1"})
			}
			for p := range partitions {
				for i, producer := range producers {
					if i%partitions == p {
						want = append(want, row{key: producer.Attempt}.String())
					}
					if p == partitions-1 {
						want = append(want, row{key: producer.Attempt}.String())
					}
				}
			}
			got, err := readFrom(c, reader, producers, 0, partitions)
			if err == nil && !slices.Equal(got, want) {
				t.Errorf("%d attempts: what came back is not what was written", attempts)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(fetch.queries); attempts == 1 && n != 1 || n > 3*partitions {
			t.Errorf("%d attempts and %d partitions took %d queries", attempts, partitions, n)
		}
		for _, s := range []*Store{writer, reader} {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
