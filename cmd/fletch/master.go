package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"fletch/client"
	"fletch/cmd/fletch/config"
	"fletch/master"
	"fletch/master/replica"
)

// masterSettings are those of a master.
type masterSettings struct {
	id, listen, advertise, dir, cluster string
	peers                               []config.Pair
	join                                []string
	insecure                            bool
	election, lost                      time.Duration
	log                                 logSettings
}

// The addresses and names that are not given.
const (
	defaultMasterAddress = "127.0.0.1:7400"
	defaultCluster       = "fletch"
)

func (s *masterSettings) section() config.Section {
	return config.Section{Name: "master", Settings: append([]config.Setting{
		{Name: "id", Usage: "be the master `NAME` (default: the host's name)", Value: config.Text(&s.id)},
		{Name: "listen", Usage: "serve on `HOST:PORT` (default: " + defaultMasterAddress + ")", Value: config.Address(&s.listen)},
		{Name: "advertise", Usage: "be known to others as `HOST:PORT` (default: where it listens)", Value: config.Address(&s.advertise)},
		{Name: "dir", Usage: "keep the data in `DIR` (default: fletch/master in $XDG_STATE_HOME)", Value: config.Text(&s.dir)},
		{Name: "cluster", Usage: "belong to the cluster `NAME` (default: " + defaultCluster + ")", Value: config.Text(&s.cluster)},
		{Name: "peers", Usage: "begin the cluster with `NAME=HOST:PORT,...`, this master among them", Value: config.Pairs(&s.peers)},
		{Name: "join", Usage: "become a member of the cluster with masters at `ADDRESSES`", Value: config.Addresses(&s.join)},
		{Name: "insecure", Usage: "listen beyond this machine: whoever reaches the port can run code on the workers", Value: config.Switch(&s.insecure)},
		{Name: "election-timeout", Usage: "wait for a silent leader for `DURATION` (default: 1s)", Value: config.Duration(&s.election, 50*time.Millisecond)},
		{Name: "lost-after", Usage: "give up a worker that is gone for `DURATION` (default: 10s)", Value: config.Duration(&s.lost, 100*time.Millisecond)},
	}, s.log.settings()...)}
}

func masterCommand() *cli.Command {
	var s masterSettings
	return command(&cli.Command{
		Name: "master", Usage: "be a master, or look after the masters",
		Subcommands: []*cli.Command{masterListCommand(), masterAddCommand(), masterRemoveCommand(), masterAuditCommand()},
		Description: `A master keeps the jobs' state together with the others, and one of them leads. The masters
that a cluster begins with are all started with the same --peers. One that joins later is
started with --join instead.

It serves until SIGTERM or Ctrl-C; http://HOST:PORT has /livez, /readyz and /metrics.`,
	}, s.run, s.section())
}

// run is a master until a signal asks for its end.
func (s *masterSettings) run(c *cli.Context) (err error) {
	if s.id == "" {
		if s.id, err = os.Hostname(); err != nil {
			return fmt.Errorf("find a name for the master, which --id can give: %w", err)
		}
	}
	if s.dir == "" {
		if s.dir, err = stateDir("master"); err != nil {
			return err
		}
	}
	log := s.log.logger(c.App.ErrWriter)
	config := master.Config{
		ID: s.id, Dir: s.dir, Listen: cmp.Or(s.listen, defaultMasterAddress), Address: s.advertise, Cluster: cmp.Or(s.cluster, defaultCluster),
		Insecure: s.insecure, ElectionTimeout: s.election, LostAfter: s.lost, Version: thisVersion().String(), Log: log,
	}
	for _, p := range s.peers {
		config.Peers = append(config.Peers, replica.Server{ID: p.Name, Address: p.Address, Voter: true})
	}
	m, err := master.New(config)
	if err != nil {
		return err
	}
	log.Info("serving", "master", s.id, "address", m.Address(), "dir", s.dir, "version", config.Version)
	return serve(c, log, func(ctx context.Context) error {
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { return m.Run(ctx) })
		if len(s.join) > 0 {
			g.Go(func() error { return joinCluster(ctx, s.join, config.ID, m.Address()) })
		}
		return g.Wait()
	})
}

// joinCluster makes a master that serves a member of a cluster. It is no matter if it is one already.
func joinCluster(ctx context.Context, masters []string, id, address string) (err error) {
	cluster, err := client.New(client.Config{Masters: masters})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	if _, err := cluster.AddMaster(ctx, id, address, userName()); err != nil {
		return fmt.Errorf("join the cluster: %w", err)
	}
	return nil
}

func masterListCommand() *cli.Command {
	var out output
	return clientCommand(&cli.Command{Name: "list", Usage: "list the masters of a cluster"},
		func(ctx context.Context, c *cli.Context, cluster *client.Client) error {
			s, err := cluster.Status(ctx)
			if err != nil {
				return err
			}
			return showMasters(c, out, s.Masters)
		}, out.section())
}

func showMasters(c *cli.Context, out output, masters []client.Master) error {
	if out.json {
		return printJSON(c.App.Writer, masters)
	}
	return printMasters(c, masters)
}

func masterAddCommand() *cli.Command {
	var out output
	return clientCommand(&cli.Command{Name: "add", Usage: "make a running master a member of a cluster", ArgsUsage: "NAME HOST:PORT"},
		func(ctx context.Context, c *cli.Context, cluster *client.Client) error {
			var address string
			if err := config.Address(&address).Set(c.Args().Get(1)); err != nil {
				return usagef("%s: %w", c.Args().Get(1), err)
			}
			s, err := cluster.AddMaster(ctx, c.Args().First(), address, userName())
			if err != nil {
				return err
			}
			return showMasters(c, out, s.Masters)
		}, out.section())
}

func masterRemoveCommand() *cli.Command {
	var out output
	return clientCommand(&cli.Command{Name: "remove", Usage: "end a master's membership of a cluster", ArgsUsage: "NAME"},
		func(ctx context.Context, c *cli.Context, cluster *client.Client) error {
			s, err := cluster.RemoveMaster(ctx, c.Args().First(), userName())
			if err != nil {
				return err
			}
			return showMasters(c, out, s.Masters)
		}, out.section())
}
