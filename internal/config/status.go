package config

import (
	"fmt"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/posthaste-mta/posthaste/internal/config/schema"
)

// What becomes of a setting.
const (
	statusWorks    = "works"
	statusAccepted = "accepted"
	statusIgnored  = "ignored"
)

var readStatus = sync.OnceValues(func() (map[Kind]map[string]string, error) {
	data, err := schema.Files.ReadFile(schema.Status)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	all := map[Kind]map[string]string{}
	if err := yaml.Load(data, &all); err != nil {
		return nil, fmt.Errorf("config: %s: %w", schema.Status, err)
	}
	return all, nil
})

// statusOf returns what becomes of the settings of a kind, by pattern path.
func statusOf(kind Kind) (map[string]string, error) {
	all, err := readStatus()
	if err != nil {
		return nil, err
	}
	return all[kind], nil
}
