package smtpd

import (
	"iter"
	"time"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// QueueFields are the fields that matchers, lists and counters speak of (spec
// config.md 1.5).
var QueueFields = []string{
	"tenantid", "jobid", "transportid", "localip", "grouping", "remoteip", "remotemx", "recipientdomain",
}

// Match holds matchers by queue field. Every field that is present must match;
// the matchers of one field are alternatives.
type Match struct {
	TenantID        []string `yaml:"tenantid"`
	JobID           []string `yaml:"jobid"`
	TransportID     []string `yaml:"transportid"`
	LocalIP         []string `yaml:"localip"`
	Grouping        []string `yaml:"grouping"`
	RemoteIP        []string `yaml:"remoteip"`
	RemoteMX        []string `yaml:"remotemx"`
	RecipientDomain []string `yaml:"recipientdomain"`
}

// Fields yields the fields that are present and their matchers, in the order of
// QueueFields.
func (m *Match) Fields() iter.Seq2[string, []string] {
	all := [...][]string{
		m.TenantID, m.JobID, m.TransportID, m.LocalIP, m.Grouping, m.RemoteIP, m.RemoteMX, m.RecipientDomain,
	}
	return func(yield func(string, []string) bool) {
		for i, matchers := range all {
			if len(matchers) > 0 && !yield(QueueFields[i], matchers) {
				return
			}
		}
	}
}

// Policy is smtpd-policy.yaml: the limits that deliveries are picked up under.
type Policy struct {
	Version  string        `yaml:"version"`
	Rate     PolicyRate    `yaml:"rate"`
	Backoff  Backoff       `yaml:"backoff"`
	Policies []PolicyEntry `yaml:"policies"`
}

// Backoff slows mail down by itself; see package backoff.
type Backoff struct {
	Enabled  bool          `yaml:"enabled"`
	Fields   []string      `yaml:"fields"`
	Hold     time.Duration `yaml:"hold"`
	Settle   time.Duration `yaml:"settle"`
	Steps    []BackoffStep `yaml:"steps"` // empty: backoff.DefaultSteps
	Rules    []string      `yaml:"rules"`
	Standard bool          `yaml:"standard"`
}

// BackoffStep is the limits of one step.
type BackoffStep struct {
	Concurrency     config.Optional[int]         `yaml:"concurrency"`
	Rate            config.Optional[config.Rate] `yaml:"rate"`
	ConnectInterval time.Duration                `yaml:"connectinterval"`
}

// Algorithms of rates.
const (
	TokenBucket = "tokenbucket"
	FixedWindow = "fixedwindow"
)

// PolicyRate selects the algorithm of all rates.
type PolicyRate struct {
	Algorithm string `yaml:"algorithm"` // TokenBucket or FixedWindow
}

// PolicyEntry is a family of counters: one for each tuple of Fields that is
// seen, or a single one when there are no fields.
type PolicyEntry struct {
	Fields     []PolicyField           `yaml:"fields"`
	Conditions []PolicyCondition       `yaml:"conditions"`
	Default    config.Optional[Limits] `yaml:"default"`
}

// PolicyField is a queue field of a tuple. Rollup, an older form, joins values
// to a name: `remotemx: {gsuite: ["@gsuite"]}`; conditions then say "#gsuite".
type PolicyField struct {
	Name   string
	Rollup map[string][]string
}

// PolicyCondition supplies the limits of the tuples that match.
type PolicyCondition struct {
	If   Match  `yaml:"if"`
	Then Limits `yaml:"then"`
}

// Limits bound one counter. An unset limit does not bind.
type Limits struct {
	Concurrency     config.Optional[int]         `yaml:"concurrency"`
	Rate            config.Optional[config.Rate] `yaml:"rate"`
	ConnectInterval time.Duration                `yaml:"connectinterval"`
	Tag             string                       `yaml:"tag"`
	Properties      map[string]any               `yaml:"properties"` // values are string, int64, float64 or bool
	Stop            bool                         `yaml:"stop"`
	Cluster         bool                         `yaml:"cluster"`
}

// Suspend is smtpd-suspend.yaml: what is not delivered for now.
type Suspend struct {
	Version  string         `yaml:"version"`
	Suspends []SuspendEntry `yaml:"suspends"`
}

// SuspendEntry stops what matches. An empty one stops everything.
type SuspendEntry struct {
	Match
	Tag        string         `yaml:"tag"`
	Properties map[string]any `yaml:"properties"`
}
