package controltest

import (
	"context"
	"errors"
	"strings"
)

// Plugins has one that repeats what it is told.
type Plugins struct{}

// IDs implements control.Plugins.
func (Plugins) IDs() []string { return []string{"echo"} }

// Command implements control.Plugins.
func (Plugins) Command(_ context.Context, id string, args []string) (string, error) {
	if id != "echo" {
		return "", errors.New("no such plug-in")
	}
	return strings.Join(args, "\n"), nil
}
