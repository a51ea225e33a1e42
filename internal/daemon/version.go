package daemon

import (
	"runtime/debug"
	"strconv"
	"strings"
)

// stamp is set by the linker: -X …/internal/daemon.stamp=1.2.3.
var stamp string

// unstamped is the version of a build that nobody stamped.
const unstamped = "0.1.0-dev"

// Version is the version of this build, such as 1.2.3.
func Version() string {
	if stamp != "" {
		return stamp
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := strings.TrimPrefix(info.Main.Version, "v"); v != "" && v != "(devel)" {
			return v
		}
	}
	return unstamped
}

// VersionNumbers is the version as three numbers, for the metrics.
func VersionNumbers() (major, minor, patch int) {
	parts := strings.SplitN(strings.SplitN(Version(), "-", 2)[0], ".", 3)
	for i, n := range []*int{&major, &minor, &patch} {
		if i < len(parts) {
			*n, _ = strconv.Atoi(parts[i]) // a stamp that is no number counts as 0
		}
	}
	return major, minor, patch
}
