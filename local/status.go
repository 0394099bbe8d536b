package local

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"fletch/engine"
	"fletch/storage"
)

// StatusEnv names the variable that holds the number of a file descriptor. Main writes there what whoever started it needs
// to know should the process end in a way that Main did not choose, such as os.Exit in the job's code: one line "output"
// with the quoted path of each output before the job runs, and one line "ended" with the exit code just before it exits.
const StatusEnv = "FLETCH_STATUS_FD"

// Status is what a process that calls Main has told.
type Status struct {
	Outputs []string // the outputs that the job writes: absolute paths or URLs
	Ended   bool     // Main chose the end of the process, with Code
	Code    int      // one of the Exit constants
}

// ParseStatus reads what Main wrote. A line that was cut short by the end of the process is left out.
func ParseStatus(text string) Status {
	var s Status
	for line := range strings.Lines(text) {
		line, whole := strings.CutSuffix(line, "\n")
		if !whole {
			break
		}
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "output":
			if path, err := strconv.Unquote(rest); err == nil {
				s.Outputs = append(s.Outputs, path)
			}
		case "ended":
			code, err := strconv.Atoi(rest)
			s.Ended, s.Code = err == nil, code
		}
	}
	return s
}

// Sweep removes what processes left behind that died before they could do so themselves: intermediate data, and parts of
// outputs that were not published. What belongs to a living process stays.
func Sweep(config Config, outputs []string) {
	storage.SweepTemp(config.TempDir)
	for _, path := range outputs {
		storage.SweepOutput(path)
	}
}

// status is where Main reports; the zero status is nowhere.
type status struct{ file *os.File }

func openStatus() status {
	fd, err := strconv.Atoi(os.Getenv(StatusEnv))
	if err != nil || fd <= 2 {
		return status{}
	}
	// It is this process's alone: neither those that the job starts write to it, nor do they keep it open.
	syscall.CloseOnExec(fd)
	if err := os.Unsetenv(StatusEnv); err != nil {
		return status{}
	}
	return status{os.NewFile(uintptr(fd), "status")}
}

func (s status) outputs(job *engine.Job) {
	graph, err := job.Graph()
	if s.file == nil || err != nil || storage.AbsoluteOutputs(graph) != nil {
		return // what is wrong is reported by who runs the job
	}
	for _, n := range graph.Nodes {
		if n.Sink != nil {
			fmt.Fprintf(s.file, "output %q\n", n.Sink.Path)
		}
	}
}

func (s status) ended(code int) {
	if s.file != nil {
		fmt.Fprintf(s.file, "ended %d\n", code)
	}
}
