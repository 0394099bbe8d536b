// Package launch runs a job in a child process: it builds the job's package as a program, or takes a plugin, which an
// executor loads; it starts the child and says how that ended. The child is whole by itself (see local.Main); launch adds
// the build, passes signals on, and cleans up after a child that could not.
package launch
