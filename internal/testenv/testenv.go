// Package testenv says what a test may expect of the machine that it runs on.
//
// Some tests drive other people's programs (swaks, smtp-source) or need rights
// that a developer may not have. Such a test asks for them here in its first
// lines. Where they are missing the test is skipped with the reason and the way
// to change it; under continuous integration, where CI is set in the environment,
// it fails instead, so that nothing is skipped there unnoticed.
package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// systemDirs are searched besides PATH: Debian keeps daemons in directories that
// are not on the path of an ordinary user.
var systemDirs = []string{"/usr/local/sbin", "/usr/sbin", "/sbin"}

// Program returns the path of a program that `make deps` installs. The test is
// skipped, or fails under continuous integration, when it is not there.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, ok := find(name)
	if !ok {
		missing(t, "needs the program "+name+"; `make deps` installs it")
	}
	return path
}

// Root demands the rights of root, for tests that mount file systems or make
// network namespaces.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "needs root")
	}
}

// Vectors returns the folder with one set of the test vectors that are published
// for the standards of mail. They stand beside the checkout, each under its own
// licence, and are no part of it. The test is skipped, or fails under continuous
// integration, when they are not there.
func Vectors(t testing.TB, set string) string {
	t.Helper()
	dir, err := filepath.Abs(".")
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || dir == filepath.Dir(dir) {
			break
		}
	}
	dir = filepath.Join(filepath.Dir(dir), "shared", "vectors", set)
	if _, err := os.Stat(dir); err != nil {
		missing(t, "needs the published test vectors in "+dir)
	}
	return dir
}

func find(name string) (string, bool) {
	if path, err := exec.LookPath(name); err == nil {
		return path, true
	}
	for _, dir := range systemDirs {
		if path, err := exec.LookPath(dir + "/" + name); err == nil {
			return path, true
		}
	}
	return "", false
}

func missing(t testing.TB, reason string) {
	t.Helper()
	if ci := os.Getenv("CI"); ci != "" && !strings.EqualFold(ci, "false") {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
