package list

import (
	"fmt"
	"io"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/plugin"
)

// Suppression is the plug-in suppression-list: addresses that must not get mail.
//
// A line is an address, "@domain" for all of a domain, "local@" for a local part
// of any domain, or "/regular expression/" for what it matches anywhere. Case does
// not count.
type Suppression struct{ *lists[suppressed] }

// suppressed is a suppression list: a map costs some 80 bytes per address.
type suppressed struct {
	entries  map[string]struct{}
	patterns []Pattern
}

// NewSuppression makes the plug-in from its startup settings.
func NewSuppression(s plugin.Settings, compile Compiler) (*Suppression, error) {
	l, err := newLists(s, func(r io.Reader) (*suppressed, error) { return readSuppressed(r, compile) },
		func(l *suppressed, args []string) (string, error) {
			found, err := l.has(args[0])
			return yes(found), err
		})
	return &Suppression{l}, err
}

// Has reports whether the list of that id has the address.
func (s *Suppression) Has(id, address string) (bool, error) {
	l, err := s.get(id)
	if err != nil {
		return false, err
	}
	return l.has(address)
}

func readSuppressed(r io.Reader, compile Compiler) (*suppressed, error) {
	l := &suppressed{entries: map[string]struct{}{}}
	err := eachLine(r, func(line string) error {
		if pattern, ok := slashed(line); ok {
			p, err := compile(pattern)
			l.patterns = append(l.patterns, p)
			return err
		}
		if !strings.Contains(line, "@") {
			return fmt.Errorf("want an address, @domain, local@ or /pattern/, got %q", line)
		}
		l.entries[strings.ToLower(line)] = struct{}{}
		return nil
	})
	return l, err
}

// slashed takes the slashes off a pattern.
func slashed(line string) (string, bool) {
	if len(line) < 3 || line[0] != '/' || line[len(line)-1] != '/' {
		return "", false
	}
	return line[1 : len(line)-1], true
}

func (l *suppressed) has(address string) (bool, error) {
	address = strings.ToLower(address)
	keys := []string{address}
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		keys = append(keys, address[at:], address[:at+1])
	}
	for _, key := range keys {
		if _, ok := l.entries[key]; ok {
			return true, nil
		}
	}
	for _, p := range l.patterns {
		if ok, err := p.Match(address); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
