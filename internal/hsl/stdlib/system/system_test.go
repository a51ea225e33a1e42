package system_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/system"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func TestFunctions(t *testing.T) {
	var logged []string
	o := system.Options{Hostname: "mx.example.com", Log: func(priority int, message string) {
		logged = append(logged, fmt.Sprint(priority, " ", message))
	}}
	m := stdlibtest.New(t, value.NewLibrary(nil, value.Declarations{Builtins: system.Builtins(o)}), value.Setup{})
	m.Check(t, []stdlibtest.Case{
		{`gethostname()`, `"mx.example.com"`},
		{`uuidv5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "www.example.com")`, `"2ed6657d-e927-568b-95e1-2665a8aea6a2"`},
		{`uuidv5("dns", "x")`, `!uuidv5: argument 1 (uuidnamespace): want a unique identifier, got "dns"`},
		{`syslog("warning", "one")`, `none`},
		{`syslog(133, "two")`, `none`},
		{`syslog("7", "three")`, `none`},
		{`syslog("loud", "four")`, `!syslog: argument 1 (priority): want emerg, alert, crit, err, warning, notice, info, debug or a number, got "loud"`},
		{`syslog(192, "five")`, `!syslog`},
		{`syslog(-1, "six")`, `!syslog`},
	})
	if fmt.Sprint(logged) != "[4 one 133 two 7 three]" {
		t.Errorf("logged %q", logged)
	}
}

func TestUUID(t *testing.T) {
	for version, digit := range map[int]string{0: "4", 1: "1", 4: "4"} {
		m := stdlibtest.New(t, value.NewLibrary(nil, value.Declarations{Builtins: system.Builtins(system.Options{UUIDVersion: version})}), value.Setup{})
		a, b := m.Show(`uuid()`), m.Show(`uuid()`)
		if a == b || !regexp.MustCompile(`^"[0-9a-f]{8}-[0-9a-f]{4}-`+digit+`[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"$`).MatchString(a) {
			t.Errorf("version %d: %s, %s", version, a, b)
		}
	}
}
