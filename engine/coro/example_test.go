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
