package compat

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// buildOnce builds the binary for all tests that ask it something.
var buildOnce = sync.OnceValues(func() (string, error) {
	var err error
	if buildDir, err = os.MkdirTemp("", "compat"); err != nil {
		return "", err
	}
	binary := filepath.Join(buildDir, "posthaste")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "./cmd/posthaste")
	build.Dir = root
	var complaint bytes.Buffer
	build.Stderr = &complaint
	if err := build.Run(); err != nil {
		return complaint.String(), err
	}
	return binary, nil
})

// buildDir is where the binary lies; TestMain removes it.
var buildDir string

func mustBuild(t *testing.T) string {
	t.Helper()
	binary, err := buildOnce()
	if err != nil {
		t.Fatalf("%v: %s", err, binary)
	}
	return binary
}

func TestMain(m *testing.M) {
	code := m.Run()
	if buildDir != "" {
		os.RemoveAll(buildDir)
	}
	os.Exit(code)
}

// TestMetricsArePublished asks a running process for its metrics: each that is said
// to work is among them.
func TestMetricsArePublished(t *testing.T) {
	monitor := freeAddress(t)
	var output bytes.Buffer
	up := exec.Command(mustBuild(t), "up", "--quiet", "--dir", t.TempDir(),
		"--smtp", freeAddress(t), "--sink", freeAddress(t), "--monitor", monitor)
	up.Stdout, up.Stderr = &output, &output
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := up.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := up.Wait(); err != nil {
			t.Errorf("%v: %s", err, &output)
		}
	}()
	page := fetch(t, "http://"+monitor+"/metrics")
	for _, f := range mustSection(t, "metrics").Facts {
		sample := []byte("\nhalon_" + f.Name)
		if f.State() == Works && !bytes.Contains(page, append(sample, ' ')) && !bytes.Contains(page, append(sample, '{')) {
			t.Errorf("%s is said to work and not published", f.Name)
		}
	}
}

// freeAddress finds a port on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// fetch gets a page as soon as somebody serves it.
func fetch(t *testing.T, url string) []byte {
	t.Helper()
	limit := time.After(20 * time.Second)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		response, err := http.Get(url)
		if err == nil {
			defer response.Body.Close()
			page, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			return page
		}
		select {
		case <-limit:
			t.Fatal(err)
		case <-again.C:
		}
	}
}
