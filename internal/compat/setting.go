package compat

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/posthaste-mta/posthaste/internal/config/schema"
)

// Settings reads, by kind of file, what the account beside the schemas says of
// each setting: works, accepted or ignored.
func Settings() (map[string]map[string]string, error) {
	text, err := schema.Files.ReadFile(schema.Status)
	if err != nil {
		return nil, fmt.Errorf("compat: %w", err)
	}
	all := map[string]map[string]string{}
	if err := yaml.Load(text, &all); err != nil {
		return nil, fmt.Errorf("compat: %s: %w", schema.Status, err)
	}
	for kind, settings := range all {
		all[kind] = fold(settings)
	}
	return all, nil
}

// fold drops the settings of a transport that its group has as well: they are one
// fact, and it works when it works in both places.
func fold(settings map[string]string) map[string]string {
	const single, group = "transportgroups[].transports[].", "transportgroups[]."
	folded := map[string]string{}
	for path, status := range settings {
		rest, ok := strings.CutPrefix(path, single)
		of, both := settings[group+rest]
		if ok && both && rest != "id" {
			if status != "works" || of != "works" {
				folded[group+rest] = weaker(status, of)
			}
			continue
		}
		if _, seen := folded[path]; !seen {
			folded[path] = status
		}
	}
	return folded
}

func weaker(a, b string) string {
	if a == "works" {
		return b
	}
	return a
}
