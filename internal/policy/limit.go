package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits bound one counter (spec config.md 5). Zero fields do not bind. A Limits
// is not changed once it is in Rules or a Dynamic.
type Limits struct {
	Concurrency     int // attempts at once
	Rate            Rate
	ConnectInterval time.Duration // least time between new connections
	Tag             string
	Properties      map[string]any // string, int64, float64 or bool
	Stop            bool           // later policies are not looked at
	Cluster         bool           // shared over the cluster
}

// binds reports whether there is something to count.
func (l *Limits) binds() bool {
	return l.Concurrency > 0 || l.Rate.Count > 0 || l.ConnectInterval > 0
}

// Rate is so many attempts in an interval. The zero Rate is no limit.
type Rate struct {
	Count     int64
	Interval  time.Duration
	Algorithm Algorithm // zero: that of the Rules
}

// Algorithm is how a rate is counted (spec operations.md 9.6).
type Algorithm uint8

const (
	_           Algorithm = iota
	TokenBucket           // Count at once, then one each Interval/Count
	FixedWindow           // Count in each window of Interval, which begins with its first use
)

// String writes a rate as configuration has it, "120/60".
func (r Rate) String() string {
	if r.Count == 0 {
		return ""
	}
	return strconv.FormatInt(r.Count, 10) + "/" + strconv.FormatFloat(r.Interval.Seconds(), 'f', -1, 64)
}

// maxTag is the length of a tag (spec config.md 5).
const maxTag = 32

// Check says what is wrong with limits that come from outside of the file.
func (l *Limits) Check() error {
	switch {
	case l.Concurrency < 0 || l.Rate.Count < 0 || l.ConnectInterval < 0:
		return errors.New("policy: a limit is below zero")
	case l.Rate.Count > 0 && (l.Rate.Interval <= 0 || l.Rate.Interval > 366*24*time.Hour):
		return fmt.Errorf("policy: a rate over %s, want more than nothing and at most a year", l.Rate.Interval)
	case l.Rate.Count > int64(l.Rate.Interval):
		return fmt.Errorf("policy: a rate of %d in %s", l.Rate.Count, l.Rate.Interval)
	}
	return checkTag(l.Tag)
}

func checkTag(tag string) error {
	if len(tag) > maxTag {
		return fmt.Errorf("policy: tag %q is longer than %d bytes", tag, maxTag)
	}
	return nil
}

// String lists the limits, as "concurrency 4 rate 120/60".
func (l *Limits) String() string {
	var parts []string
	if l.Concurrency > 0 {
		parts = append(parts, "concurrency "+strconv.Itoa(l.Concurrency))
	}
	if l.Rate.Count > 0 {
		parts = append(parts, "rate "+l.Rate.String())
	}
	if l.ConnectInterval > 0 {
		parts = append(parts, "connectinterval "+strconv.FormatFloat(l.ConnectInterval.Seconds(), 'f', -1, 64))
	}
	return strings.Join(parts, " ")
}

// sortedKeys are the keys of m in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
