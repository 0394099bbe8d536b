// Package transfer carries shuffle outputs between workers over HTTP: a Registry of what a worker has, a Handler that
// serves it, and a Client that fetches. It is apart from package shuffle so that a job's plugin does not carry HTTP.
package transfer
