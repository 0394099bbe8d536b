// Package launch runs a job's package as a program: it builds the package, starts the program as a child process and says
// how it ended. The child is whole by itself (see local.Main); launch adds the build, passes signals on, and cleans up
// after a child that could not.
package launch
