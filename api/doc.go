// Package api is what masters, workers, executors and clients say to each other: the messages and services, generated
// from the .proto files beside this one, their conversion to the engine's types, and errors that keep their class across
// a call. Protobuf types stop at the edges of the other packages.
package api

//go:generate go tool -modfile=../tools/go.mod buf lint
//go:generate go tool -modfile=../tools/go.mod buf generate --template buf.gen.yaml
