// Package build builds a job's package as a plugin for this program: with the same Go, the same flags, the same sources of
// Fletch and the same versions of other modules. It says beforehand what would keep the two from fitting, and ends with the
// check that a program does before it opens the plugin (plugins.Preflight).
package build
