package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"fletch/client"
	"fletch/cmd/fletch/config"
)

func masterAuditCommand() *cli.Command {
	var out output
	limit := 100
	return clientCommand(&cli.Command{Name: "audit", Usage: "list who asked for what, the latest first"},
		func(ctx context.Context, c *cli.Context, cluster *client.Client) error {
			entries, err := cluster.Audit(ctx, limit)
			if err != nil {
				return err
			}
			if out.json {
				return printJSON(c.App.Writer, entries)
			}
			var rows [][]string
			for _, e := range entries {
				rows = append(rows, []string{e.Time.Local().Format(time.DateTime), e.User, e.Action, e.Subject})
			}
			return printTable(c.App.Writer, "TIME USER ACTION SUBJECT", rows)
		}, config.Section{Settings: []config.Setting{
			{Name: "limit", Usage: "list `N` requests (default: 100; the cluster keeps 1000)", Value: config.Count(&limit, 1, 1000)},
		}}, out.section())
}
