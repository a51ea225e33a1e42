package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// backgroundEnv marks the run that is in the background. Its value is the file
// descriptor on which it says how its start went.
const backgroundEnv = "POSTHASTE_BACKGROUND"

// Background starts this program again, detached from the terminal, with the
// same arguments, and returns when that run says that it serves. A failure to
// start comes back as the error that the run reported.
func Background() error {
	said, says, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("daemon: %w", err)
	}
	defer said.Close()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("daemon: %w", err)
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Args[0] = os.Args[0] // the name chooses the program
	cmd.Env = append(os.Environ(), backgroundEnv+"=3")
	cmd.ExtraFiles = []*os.File{says}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	says.Close()
	if err != nil {
		return fmt.Errorf("daemon: %w", err)
	}
	return listen(said)
}

// listen reads what the run in the background has to say: "ok", or an error.
func listen(said io.Reader) error {
	text, err := io.ReadAll(said)
	switch {
	case err != nil:
		return fmt.Errorf("daemon: %w", err)
	case string(text) == "ok":
		return nil
	case len(text) == 0:
		return errors.New("daemon: ended before it could serve; see the system log")
	}
	return errors.New(strings.TrimSpace(string(text)))
}

// InBackground reports whether this is the run that Background started.
func InBackground() bool { return os.Getenv(backgroundEnv) != "" }

// Surface tells Background how the start went. It does nothing in other runs,
// and nothing the second time.
func Surface(err error) {
	if !InBackground() {
		return
	}
	os.Unsetenv(backgroundEnv)
	f := os.NewFile(3, "background")
	defer f.Close()
	text := "ok"
	if err != nil {
		text = err.Error()
	}
	_, _ = io.WriteString(f, text)
}
