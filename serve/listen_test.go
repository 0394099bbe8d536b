package serve

import (
	"net"
	"strings"
	"testing"
)

func TestListen(t *testing.T) {
	taken, err := Listen("127.0.0.1:0", false)
	must(t, err)
	defer taken.Close()
	for _, c := range []struct {
		address  string
		insecure bool
		want     []string // in the error; none: it listens
	}{
		{"127.0.0.1:0", false, nil},
		{"localhost:0", false, nil},
		{"127.9.9.9:0", false, nil},
		{"0.0.0.0:0", true, nil},
		{":0", true, nil},
		{"0.0.0.0:0", false, []string{"--insecure", "no authentication"}},
		{":0", false, []string{"--insecure"}},
		{"[::]:0", false, []string{"--insecure"}},
		{"10.1.2.3:0", false, []string{"--insecure", "10.1.2.3:0"}},
		{"example.com:0", false, []string{"--insecure"}},
		{"127.0.0.1", false, []string{"host:port"}},
		{"", false, []string{"host:port"}},
		{"127.0.0.1:none", false, []string{"127.0.0.1:none"}},
		{"198.51.100.7:0", true, []string{"198.51.100.7:0", "none of this machine", "--listen"}},
		{taken.Addr().String(), false, []string{taken.Addr().String(), "in use", "--listen"}},
	} {
		l, err := Listen(c.address, c.insecure)
		if (err == nil) != (c.want == nil) {
			t.Errorf("%s, insecure %t: %v", c.address, c.insecure, err)
		}
		for _, want := range c.want {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q lacks %q", c.address, err, want)
			}
		}
		if err == nil {
			if ip := l.Addr().(*net.TCPAddr).IP; !c.insecure && !ip.IsLoopback() {
				t.Errorf("%s: listens on %s", c.address, ip)
			}
			must(t, l.Close())
		}
	}
}
