package compat

import (
	"fmt"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// What becomes of a setting, as the account beside the schemas says.
const (
	settingWorks   = "works"
	settingIgnored = "ignored"
)

// settings lists those of a kind of file in the order of the schema, as facts that
// nothing is known about but that some are ignored, and what becomes of each.
func settings(kind string) (facts []Fact, status map[string]string, err error) {
	all, err := config.Settings(config.Kind(kind))
	if err != nil {
		return nil, nil, fmt.Errorf("compat: %w", err)
	}
	status = map[string]string{}
	for _, s := range all {
		path := fold(s.Path)
		before, seen := status[path]
		if seen && before != settingWorks {
			continue // a fact works when it works in all its places
		}
		status[path] = s.Status
		if seen {
			continue
		}
		f := Fact{Name: path}
		if s.Status == settingIgnored {
			f.Differs = "it has no meaning here and is accepted so that files load"
		}
		facts = append(facts, f)
	}
	return facts, status, nil
}

// fold maps a setting of a transport to that of its group, which is one fact with
// it. Only the id is another.
func fold(path string) string {
	rest, ok := strings.CutPrefix(path, "transportgroups[].transports[].")
	if !ok || rest == "id" {
		return path
	}
	return "transportgroups[]." + rest
}

// overlay puts what the data says over the settings that the schema has.
func (s *Section) overlay(kind string) error {
	facts, status, err := settings(kind)
	if err != nil {
		return err
	}
	place := map[string]int{}
	for i, f := range facts {
		place[f.Name] = i
	}
	for _, f := range s.Facts {
		i, known := place[f.Name]
		if !known {
			return fmt.Errorf("compat: data/%s.yaml: no schema knows %s", s.file, f.Name)
		}
		if f.State() == Works && status[f.Name] != settingWorks {
			return fmt.Errorf("compat: data/%s.yaml: %s is said to work, and the status beside its schema is %q", s.file, f.Name, status[f.Name])
		}
		facts[i] = f
	}
	s.Facts = facts
	return nil
}
