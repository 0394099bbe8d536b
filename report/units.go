package report

import (
	"fmt"
	"strconv"
	"time"
)

// size returns a number of bytes: 850 B, 1.2 GB.
func size(bytes int64) string {
	return scale(bytes, [...]string{" B", " kB", " MB", " GB", " TB", " PB", " EB"})
}

// quantity returns a number of things: 850, 12.3 M.
func quantity(n int64) string {
	return scale(n, [...]string{"", " k", " M", " G", " T", " P", " E"})
}

// scale keeps three digits, or two below 10.
func scale(n int64, units [7]string) string {
	if -1000 < n && n < 1000 {
		return strconv.FormatInt(n, 10) + units[0]
	}
	value, unit, sign := float64(n), 0, ""
	if n < 0 {
		value, sign = -value, "-"
	}
	for value >= 999.5 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	return sign + digits(value) + units[unit]
}

// digits returns a number with one decimal where it is below 100.
func digits(value float64) string {
	if value < 99.95 {
		return strconv.FormatFloat(value, 'f', 1, 64)
	}
	return strconv.FormatFloat(value, 'f', 0, 64)
}

// speed returns a rate in MB/s, whatever its magnitude, so that rates compare at a glance. Nothing in no time is no rate.
func speed(bytes int64, seconds float64) string {
	if bytes <= 0 || seconds <= 0 {
		return ""
	}
	return digits(float64(bytes)/seconds/1e6) + " MB/s"
}

// duration returns a time: 340 ms, 12.4 s, 1m12s, 2h05m.
func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d <= 0:
		return "0 s"
	case d < time.Millisecond:
		return "<1 ms"
	case d < 999500*time.Microsecond:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond)/time.Millisecond)
	case d < 59950*time.Millisecond:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour-time.Second/2:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	default:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
}

// exact returns every digit, in groups of three.
func exact(n int64) string {
	s := strconv.FormatInt(n, 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(s) - 3; i > first; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// several returns a number, already formatted, with its noun: 1 task, 12.3 M rows.
func several(number, noun string) string {
	if number == "1" {
		return "1 " + noun
	}
	return number + " " + noun + "s"
}

// ofTasks returns how many tasks of how many are completed.
func ofTasks(completed, tasks int) string { return fmt.Sprintf("%d/%d", completed, tasks) }
