package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"fletch/client"
)

// resolve returns the ID of the only job whose ID begins with what the user wrote.
func resolve(id string, jobs []client.Job) (string, error) {
	var found []string
	var known []*cli.Command // for the search of a similar one
	for i := range jobs {
		if strings.HasPrefix(jobs[i].ID, id) {
			found = append(found, jobs[i].ID)
		}
		known = append(known, &cli.Command{Name: jobs[i].ID})
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		const shown = 5
		return "", fmt.Errorf("%d jobs begin with %q: %s", len(found), id, strings.Join(found[:min(shown, len(found))], ", "))
	case len(jobs) == 0:
		return "", fmt.Errorf("there is no job %q: the cluster has none yet", id)
	}
	return "", fmt.Errorf("there is no job %q%s\n\nfletch job list lists them", id, suggestion(cli.SuggestCommand(known, id)))
}
