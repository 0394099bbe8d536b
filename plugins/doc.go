// Package plugins knows jobs as Go plugins: what has to agree between a plugin and the program that opens it, and where
// plugins are kept.
package plugins
