// Package controlpb is the control API in Go: its messages, and the clients and
// servers of its services, generated from the .proto files beside it. Those
// files are the reference; `make generate` writes the rest again.
package controlpb

//go:generate buf generate
