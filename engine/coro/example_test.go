package coro_test

import (
	"context"
	"fmt"

	"fletch/engine/coro"
)

// Two coroutines take turns on one runner.
func Example() {
	s, err := coro.New(coro.Config{Runners: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	count := func(c *coro.Coroutine) error {
		for i := range 3 {
			fmt.Println(c.Name(), i)
			if err := c.Yield(); err != nil {
				return err
			}
		}
		return nil
	}
	ping := s.Spawn(coro.Spec{Name: "ping"}, count)
	pong := s.Spawn(coro.Spec{Name: "pong"}, count)

	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-ping.Done()
		<-pong.Done()
		cancel()
	}()
	fmt.Println(s.Run(ctx))
	// Output:
	// ping 0
	// pong 0
	// ping 1
	// pong 1
	// ping 2
	// pong 2
	// <nil>
}

// A hundred thousand coroutines wait for one future. Each costs a small stack and, while it waits, no core.
func ExampleAwait() {
	s, err := coro.New(coro.Config{Runners: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	const n = 100_000
	var gate coro.Future[int]
	waiting, sum := 0, 0 // of one runner, so they need no lock
	for range n {
		s.Spawn(coro.Spec{Name: "waiter", Stage: 1}, func(c *coro.Coroutine) error {
			waiting++
			value, err := coro.Await(c, &gate)
			sum += value
			if waiting--; waiting == 0 {
				cancel()
			}
			return err
		})
	}
	// Of an earlier stage, it begins when all of them wait.
	s.Spawn(coro.Spec{Name: "opener"}, func(*coro.Coroutine) error {
		fmt.Println("waiting:", waiting)
		gate.Complete(2, nil)
		return nil
	})
	fmt.Println(s.Run(ctx))
	fmt.Println("sum:", sum)
	// Output:
	// waiting: 100000
	// <nil>
	// sum: 200000
}
