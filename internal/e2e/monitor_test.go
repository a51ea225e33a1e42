package e2e

import (
	"regexp"
	"strconv"
)

// metric is the value of the first sample of that name, or -1.
func (m *mta) metric(name string) float64 {
	m.t.Helper()
	_, body := get(m.monitor, "/metrics", nil)
	found := regexp.MustCompile(`(?m)^` + name + `(?:\{[^}]*\})? (\S+)$`).FindStringSubmatch(body)
	if found == nil {
		return -1
	}
	value, err := strconv.ParseFloat(found[1], 64)
	must(m.t, err)
	return value
}
