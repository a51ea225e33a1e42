package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
)

// certificates are how many names the part acme has certified.
const certificates = 2000

// figures are what the test says of itself in the end.
var figures = regexp.MustCompile(`\d+ names: (obtained in .*)`)

// acme has a test authority within the test process certify names, and renew
// them: what is measured is the whole of both ends.
func (b *bench) acme(ctx context.Context) (string, error) {
	b.progress("acme: %d names", certificates)
	cmd := exec.CommandContext(ctx, "go", "test", "./internal/pki/acme", "-run", "^TestManyNames$", "-v", "-count=1", "-timeout", "30m")
	cmd.Env = append(os.Environ(), "POSTHASTE_NAMES="+strconv.Itoa(certificates))
	out, err := cmd.CombinedOutput()
	found := figures.FindSubmatch(out)
	if err != nil || found == nil {
		return "", fmt.Errorf("%w:\n%s", err, out)
	}
	return fmt.Sprintf("%d names: %s.\n", certificates, found[1]), nil
}
