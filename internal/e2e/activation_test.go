package e2e

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// activateEnv makes the test binary become the program given as its arguments,
// as a service manager that passes sockets does: LISTEN_PID is the process id,
// which is known only now.
const activateEnv = "POSTHASTE_E2E_ACTIVATE"

func activate() {
	os.Unsetenv(activateEnv)
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	err := syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
	fmt.Fprintln(os.Stderr, "e2e:", err)
	os.Exit(1)
}
