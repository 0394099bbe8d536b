package cluster

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDaemonRefused starts daemons that can't be: they end with the reason.
func TestDaemonRefused(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	dir := t.TempDir()
	// written returns a directory with a copy of a file that says whose data it is, and in which format.
	written := func(kind, name, file string, change func(string) string) string {
		text, err := os.ReadFile(filepath.Join(c.dir, name, file))
		must(t, err)
		changed := change(string(text))
		made := filepath.Join(dir, kind+name)
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(made, file)), 0o700))
		must(t, os.WriteFile(filepath.Join(made, file), []byte(changed), 0o600))
		return made
	}
	newer := func(name, file string) string {
		return written("newer", name, file, func(text string) string {
			changed := regexp.MustCompile(`("format": ?)\d+`).ReplaceAllString(text, "${1}99")
			if changed == text {
				t.Fatalf("%s of %q has no format: %s", file, name, text)
			}
			return changed
		})
	}
	another := func(name, file string) string {
		return written("another", name, file, func(text string) string { return text })
	}
	master, worker := c.Masters[0].Address, c.Workers[0].Address
	free := freeAddress(t)
	begin := "master --id m1 --listen " + free + " --peers m1=" + free + " --dir "
	for _, test := range []struct{ want, args string }{
		{master + ` is in use`, "master --id m1 --listen " + master + " --dir " + dir + "/m --peers m1=" + master},
		{worker + ` is in use`, "worker --listen " + worker + " --dir " + dir + "/w"},
		{`another process uses it`, begin + c.dir + "/m1 --cluster " + c.Cluster},
		{`another worker uses`, "worker --dir " + c.dir + "/w1"},
		{`belongs to cluster \w+, not to other`, begin + another("m1", "raft/replica.json") + " --cluster other"},
		{`belongs to cluster \w+, not to other`, "worker --cluster other --dir " + another("w1", "worker.json")},
		{`newer version of fletch`, begin + newer("m1", "raft/replica.json") + " --cluster " + c.Cluster},
		{`newer fletch`, "worker --dir " + newer("w1", "worker.json")},
		{`has format 99`, "cluster up --dir " + newer("", "cluster.json")},
		{`--insecure`, "master --id x --listen 0.0.0.0:1 --peers x=0.0.0.0:1 --dir " + dir + "/open"},
		{`--insecure`, "worker --listen 0.0.0.0:0 --dir " + dir + "/open"},
	} {
		c.complains(t, 1, test.want, strings.Fields(test.args)...)
	}
	for _, p := range append(c.Masters, c.Workers...) {
		healthy(t, p)
	}
}

// TestWorkerOfAnotherCluster has a worker ask masters that are not its own.
func TestWorkerOfAnotherCluster(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	c.complains(t, 1, `belongs to cluster "?other`, "worker", "--cluster", "other", "--dir", t.TempDir(), "--master", c.addresses())
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}
