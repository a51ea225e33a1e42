// Package system holds the builtins that concern the host: its name, unique
// identifiers, and the system log.
package system

import (
	"strings"

	"github.com/google/uuid"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Options say what the builtins tell.
type Options struct {
	// Hostname is what gethostname returns.
	Hostname string
	// UUIDVersion is 1 for identifiers of time and host, and random ones
	// otherwise.
	UUIDVersion int
	// Log takes what scripts write to the system log. The priority is a severity
	// of syslog plus, perhaps, a facility times 8.
	Log func(priority int, message string)
}

// Builtins returns the functions of the theme.
func Builtins(o Options) []*value.Builtin {
	builtins := []*value.Builtin{
		declare.Function("gethostname() string", "Returns the name of the host.",
			`echo length(gethostname()) > 0; // true`,
			func(*value.Call) (value.Value, error) { return value.String(o.Hostname), nil }),
		declare.Function("uuid() string", "Returns a new unique identifier of version 1 or 4, as the configuration says.",
			`echo length(uuid()); // 36`, func(*value.Call) (value.Value, error) { return newUUID(o.UUIDVersion) }),
		declare.Function("uuidv5(string uuidnamespace, string value) string",
			"Returns the identifier that the name space, itself an identifier, always has for the value (version 5). A name space that is none throws.",
			`echo uuidv5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "www.example.com"); // 2ed6657d-e927-568b-95e1-2665a8aea6a2`, uuidV5),
	}
	if o.Log != nil {
		builtins = append(builtins, declare.Function("syslog(string or number priority, string message)",
			"Writes a message to the system log. The priority is emerg, alert, crit, err, warning, notice, info or debug, or its number, to which a facility times 8 may be added.",
			`syslog("info", "hello");`, func(c *value.Call) (value.Value, error) { return syslog(c, o.Log) }))
	}
	return builtins
}

func newUUID(version int) (value.Value, error) {
	id, err := uuid.NewRandom()
	if version == 1 {
		id, err = uuid.NewUUID()
	}
	if err != nil {
		return value.None, value.Errorf("uuid: %v", err)
	}
	return value.String(id.String()), nil
}

func uuidV5(c *value.Call) (value.Value, error) {
	space, err := uuid.Parse(c.Str(0))
	if err != nil {
		return value.None, declare.Unwanted(c, 0, "a unique identifier")
	}
	return value.String(uuid.NewSHA1(space, []byte(c.Str(1))).String()), nil
}

// severities are the priorities of syslog by their number.
var severities = []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

func syslog(c *value.Call, log func(int, string)) (value.Value, error) {
	priority, ok := priorityOf(c.Args[0])
	if !ok {
		return value.None, declare.Unwanted(c, 0, strings.Join(severities, ", ")+" or a number")
	}
	log(priority, c.Str(1))
	return value.None, nil
}

func priorityOf(v value.Value) (int, bool) {
	for i, name := range severities {
		if v.Str() == name {
			return i, true
		}
	}
	f, ok := value.ParseNumber(v.Text())
	return int(f), ok && f >= 0 && f < 192 // 24 facilities
}
