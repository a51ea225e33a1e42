// Package e2e runs the finished binary as its users do and looks only at what
// they can see: sockets, files, exit codes and lines of text. It holds nothing
// but tests.
//
// The binary is built once per run, without cgo, or with the race detector when
// the tests run with it. Each test writes a folder of configuration, starts the
// programs that it needs on ports of its own, and ends them by their process
// ids. The far end of deliveries is package sink within the test, so that a test
// sees each message that arrives. Nothing is waited for with fixed sleeps: a
// test polls for the event until its patience ends, and then shows what the
// programs wrote.
//
// One test, with everything it says:
//
//	go test ./internal/e2e -run 'TestFirstContact' -v
//
// Tests that mount file systems or change users need root, and some drive
// swaks and smtp-source. Without these they are skipped and say so; where CI is
// set they fail. Two tests run at once unless -parallel says otherwise.
package e2e
