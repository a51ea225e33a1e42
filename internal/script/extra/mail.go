package extra

import (
	"maps"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// The modules about the origin of a message and about reports on it.
func init() {
	maps.Copy(libraries, map[string]func(Options) *value.Library{
		"arc":                    arcLibrary,
		"authentication-results": resultsLibrary,
		"arf":                    arfLibrary,
		"dmarc":                  dmarcLibrary,
		"bimi":                   bimiLibrary,
		"bimi-helper":            bimiHelperLibrary,
		"batv":                   batvLibrary,
		"dsn":                    dsnLibrary,
		"bounce":                 bounceLibrary,
		"srs":                    srsLibrary,
	})
}
