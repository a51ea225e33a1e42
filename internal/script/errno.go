package script

import (
	"errors"
	"syscall"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// errno is the number of the system's error beneath err, 0 if there is none.
func errno(err error) value.Value {
	var e syscall.Errno
	if !errors.As(err, &e) {
		return number(0)
	}
	return number(int(e))
}
