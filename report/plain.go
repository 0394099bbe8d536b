package report

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// quiet is the least time between two lines about a stage that neither starts nor ends.
const quiet = 5 * time.Second

// plain shows progress as lines of text: one when a stage starts, one when it ends, few in between.
type plain struct {
	style   style
	stages  map[int]*progression
	waiting time.Time // when the last line about a job without a stage was due
}

// progression is what plain has said of a stage.
type progression struct {
	meter meter
	said  time.Time
	ended bool
}

func newPlain(d Display) *plain {
	return &plain{style: newStyle(d), stages: make(map[int]*progression)}
}

func (p *plain) update(now time.Time, j *Job) []byte {
	var b bytes.Buffer
	for i := range j.Stages {
		if s := &j.Stages[i]; s.started() {
			p.stage(&b, now, s)
		}
	}
	if len(p.stages) == 0 {
		p.wait(&b, now, j)
	}
	return b.Bytes()
}

func (p *plain) log(lines []byte) []byte { return lines }

func (p *plain) done() []byte { return nil }

func (p *plain) stage(b *bytes.Buffer, now time.Time, s *Stage) {
	known := p.stages[s.ID]
	if known == nil {
		known = &progression{said: now}
		p.stages[s.ID] = known
		fmt.Fprintf(b, "stage %d started: %s, %s\n", s.ID, p.style.text(s.Name), several(strconv.Itoa(s.Tasks), "task"))
	}
	known.meter.add(now, s.Metrics.BytesIn)
	switch ended := s.ended(); {
	case ended && !known.ended:
		fmt.Fprintf(b, "stage %d done: %s\n", s.ID, p.facts(s, known))
	case !ended && known.ended:
		fmt.Fprintf(b, "stage %d runs again: %s\n", s.ID, p.facts(s, known))
	case !ended && now.Sub(known.said) >= quiet:
		fmt.Fprintf(b, "stage %d: %s\n", s.ID, p.facts(s, known))
	default:
		return
	}
	known.said, known.ended = now, s.ended()
}

func (p *plain) facts(s *Stage, known *progression) string {
	words := []string{several(strconv.Itoa(s.Tasks), "task")}
	if !s.ended() {
		words[0] = ofTasks(s.Completed, s.Tasks) + " tasks"
	}
	words = append(words, several(quantity(s.Metrics.RowsIn), "row"))
	if read := s.Metrics.BytesIn; read > 0 {
		bytes := size(read)
		if s.ExpectedBytes > read && !s.ended() {
			bytes += " of " + size(s.ExpectedBytes)
		}
		words = append(words, bytes, known.meter.speed(s))
	}
	return strings.Join(append(words, duration(s.Seconds)), ", ")
}

// wait says now and then that nothing has started.
func (p *plain) wait(b *bytes.Buffer, now time.Time, j *Job) {
	if p.waiting.IsZero() {
		p.waiting = now
	}
	if now.Sub(p.waiting) >= quiet {
		p.waiting = now
		fmt.Fprintf(b, "%s: %s, %s\n", p.style.text(j.Name), j.State, duration(j.Seconds))
	}
}
