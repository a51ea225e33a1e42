package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the path of the program under test.
var binary string

// buildMode is the environment that it is built in.
var buildMode = []string{"CGO_ENABLED=0"}

func TestMain(m *testing.M) {
	if os.Getenv(activateEnv) != "" {
		activate()
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	flag.Parse()
	atOnce(2)
	dir, err := os.MkdirTemp("", "posthaste-e2e-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "posthaste")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "../../cmd/posthaste")
	build.Env = append(os.Environ(), buildMode...)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return fail(err)
	}
	return m.Run()
}

// atOnce bounds the tests that run in parallel, unless the caller has chosen a
// bound: each of them runs several busy processes.
func atOnce(n int) {
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		_ = flag.Set("test.parallel", fmt.Sprint(n)) // the flag exists in every test binary
	}
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}
