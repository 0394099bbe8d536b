package replica

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// PreamblePrefix is how a connection from another master's replica begins. The rest of the line is the protocol's
// version and the cluster's identity; the other side answers with a line of its own before raft says a word:
//
//	FLETCH-RAFT/1 <cluster>\n
//	OK <ID of the master that answers>\n
//	NO <why>\n
const PreamblePrefix = "FLETCH-RAFT/"

const (
	preambleVersion = "1"
	maxLine         = 512 // bytes, of the preamble and its answer
	preambleWait    = 10 * time.Second
)

// refusedError means that the other side does not take part in this cluster.
type refusedError struct{ why string }

func (e *refusedError) Error() string { return "refused: " + e.why }

// greet says the preamble and returns the ID of the master that answers.
func greet(conn net.Conn, cluster string, deadline time.Time) (id string, err error) {
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "%s%s %s\n", PreamblePrefix, preambleVersion, cluster); err != nil {
		return "", fmt.Errorf("send the preamble: %w", err)
	}
	line, err := readLine(conn)
	if err != nil {
		return "", fmt.Errorf("read the answer to the preamble: %w", err)
	}
	verdict, rest, _ := strings.Cut(line, " ")
	switch verdict {
	case "OK":
		return rest, conn.SetDeadline(time.Time{})
	case "NO":
		return "", &refusedError{why: rest}
	}
	return "", errors.New("what answers is no master of fletch")
}

// welcome reads the preamble of a connection and answers it. Its error says why the connection is refused.
func welcome(conn net.Conn, cluster, id string, deadline time.Time) error {
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	line, err := readLine(conn)
	if err != nil {
		return fmt.Errorf("read the preamble: %w", err)
	}
	if err := checkPreamble(line, cluster); err != nil {
		_, sent := fmt.Fprintf(conn, "NO %s\n", err)
		return errors.Join(err, sent)
	}
	if _, err := fmt.Fprintf(conn, "OK %s\n", id); err != nil {
		return fmt.Errorf("answer the preamble: %w", err)
	}
	return conn.SetDeadline(time.Time{})
}

// checkPreamble holds a preamble against the cluster.
func checkPreamble(line, cluster string) error {
	rest, ok := strings.CutPrefix(line, PreamblePrefix)
	if !ok {
		return errors.New("it does not begin as a master's connection does")
	}
	version, theirs, _ := strings.Cut(rest, " ")
	if version != preambleVersion {
		return fmt.Errorf("it speaks version %.20q of the protocol between masters, this master version %s: run the same version of fletch on all masters",
			version, preambleVersion)
	}
	if theirs != cluster {
		return fmt.Errorf("it is of cluster %.*q, this master of %q", maxName, theirs, cluster)
	}
	return nil
}

// readLine reads up to a newline and not a byte further, as what follows is raft's.
func readLine(conn net.Conn) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		if _, err := io.ReadFull(conn, b); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(line), nil
		}
		if line = append(line, b[0]); len(line) > maxLine {
			return "", fmt.Errorf("no end within %d bytes", maxLine)
		}
	}
}
