// Package plugins knows jobs as Go plugins. A plugin holds its job's code and a copy of the packages of Fletch that the job
// links; the program that opens it has these packages too, and Go joins the two. What it does not check, Preflight does: it
// compares how both were built, and from which sources, without running any code of the plugin. For that, fletch build
// appends a Manifest to the file: docs/format/plugin.md. A Store keeps plugins by their SHA-256.
//
// The package never opens a plugin (see plugins/open) and never builds one (plugins/build): masters and workers link it.
package plugins
