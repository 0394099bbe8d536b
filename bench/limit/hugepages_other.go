//go:build !linux

package limit

// preferHugePages does nothing: only Linux lets a program ask.
func preferHugePages([]slot) {}
