//go:build race

package e2e

// The binary under test looks for races when the tests do. That takes cgo.
func init() { buildMode = []string{"CGO_ENABLED=1", "GOFLAGS=-race"} }
