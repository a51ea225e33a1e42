package source

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// TestSMTPSink sends to the server that comes with Postfix.
func TestSMTPSink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sink")
	args := []string{"unix:" + path, "10"}
	if os.Geteuid() == 0 {
		args = append([]string{"-u", "nobody"}, args...) // it insists when it is root
	}
	var stderr bytes.Buffer
	server := exec.CommandContext(t.Context(), testenv.Program(t, "smtp-sink"), args...)
	server.Stderr = &stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Kill() // it may have ended by itself
		_ = server.Wait()
	}()
	for _, lockstep := range []bool{false, true} {
		s, err := New(Options{
			To: "unix:" + path, Rcpt: pattern(t, "user-%d@x.example"), Sessions: 5, Messages: 200, Recipients: 2,
			Lockstep: lockstep, Reconnect: 10 * time.Second, // until it listens
		})
		if err != nil {
			t.Fatal(err)
		}
		report, err := s.Run(t.Context())
		if err != nil || report.Messages != 200 || report.Recipients != 400 || !report.Complete() {
			t.Errorf("lockstep %t: %v\n%+v\n%s", lockstep, err, report, stderr.Bytes())
		}
	}
}
