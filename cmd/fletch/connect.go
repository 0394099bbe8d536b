package main

import (
	"context"
	"errors"
	"os/user"
	"time"

	"github.com/urfave/cli/v2"

	"fletch/client"
	"fletch/cmd/fletch/cluster"
	"fletch/cmd/fletch/config"
)

// clientSettings say which cluster a command is for.
type clientSettings struct {
	masters []string
	timeout time.Duration
}

func (s *clientSettings) section() config.Section {
	return config.Section{Name: "client", Settings: []config.Setting{
		{Name: "master", Usage: "ask the masters at `ADDRESSES`: host:port,... (default: those of fletch cluster up)", Value: config.Addresses(&s.masters)},
		{Name: "timeout", Usage: "look for the master that leads for `DURATION` (default: 10s)", Value: config.Duration(&s.timeout, time.Millisecond)},
	}}
}

// errNoCluster means that nobody said which cluster is meant, and none runs here.
var errNoCluster = errors.New("which cluster? Name its masters with --master host:port,... or FLETCH_MASTER, " +
	"or start one on this machine: fletch cluster up")

// connect returns a client of the cluster that the settings name, or else of the one that runs in the default directory.
func (s *clientSettings) connect() (*client.Client, error) {
	masters := s.masters
	if len(masters) == 0 {
		dir, err := cluster.DefaultDir()
		if err == nil {
			masters, err = cluster.Running(dir)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(masters) == 0 {
		return nil, errNoCluster
	}
	return client.New(client.Config{Masters: masters, Timeout: s.timeout})
}

// clientCommand makes a command that asks a cluster. Ctrl-C ends it. A setting of its own hides the client's of that name.
func clientCommand(c *cli.Command, do func(ctx context.Context, c *cli.Context, cluster *client.Client) error, from ...config.Section) *cli.Command {
	var s clientSettings
	if c.ArgsUsage == "ID" {
		c.BashComplete = completeJobs
	}
	return command(c, func(c *cli.Context) (err error) {
		cluster, err := s.connect()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, cluster.Close()) }()
		ctx, stop := interruptible(c)
		defer stop()
		return do(ctx, c, cluster)
	}, append(from, s.section().Without(from))...)
}

// userName says who asks, for the cluster's audit log.
func userName() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}
