package serve

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Listen listens on a TCP address, host:port. As long as connections are neither encrypted nor authenticated it takes
// addresses of this machine alone (127.0.0.0/8, ::1, localhost), unless insecure is set.
func Listen(address string, insecure bool) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: want host:port, such as 127.0.0.1:7070", address)
	}
	if !insecure && !loopback(host) {
		return nil, fmt.Errorf("listen on %s: anybody who reaches this address could run code here, as there is no authentication yet: "+
			"choose an address of this machine such as 127.0.0.1, or accept that with --insecure", address)
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return nil, fmt.Errorf("address %s is in use: stop what listens there or choose another with --listen", address)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return nil, fmt.Errorf("address %s is none of this machine: choose another with --listen", address)
	case errors.Is(err, unix.EACCES):
		return nil, fmt.Errorf("address %s may not be used by this user: ports below 1024 need a privilege: choose another with --listen", address)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	// A name may mean anything: what counts is what the listener is bound to.
	if bound, ok := l.Addr().(*net.TCPAddr); !insecure && (!ok || !bound.IP.IsLoopback()) {
		return nil, errors.Join(fmt.Errorf("listen on %s: it is %s, beyond this machine: accept that with --insecure", address, l.Addr()), l.Close())
	}
	return l, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
