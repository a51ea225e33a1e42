package extra

import (
	"maps"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// The modules about the origin of a message and about reports on it.
func init() {
	maps.Copy(libraries, map[string]func(Options) *value.Library{
		"arf":  arfLibrary,
		"batv": batvLibrary,
		"dsn":  dsnLibrary,
		"srs":  srsLibrary,
	})
}
