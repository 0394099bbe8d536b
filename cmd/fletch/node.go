package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"fletch/client"
)

func nodeCommand() *cli.Command {
	return group("node", "look after the workers of a cluster", nodeListCommand())
}

func nodeListCommand() *cli.Command {
	var out output
	return clientCommand(&cli.Command{Name: "list", Usage: "list the workers"},
		func(ctx context.Context, c *cli.Context, cluster *client.Client) error {
			s, err := cluster.Status(ctx)
			if err != nil {
				return err
			}
			if out.json {
				return printJSON(c.App.Writer, s.Workers)
			}
			return printWorkers(c, s.Workers)
		}, out.section())
}
