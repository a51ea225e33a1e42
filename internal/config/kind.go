package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Kind names a sort of configuration file. It is the base name of the file
// without ".yaml" and of its schema without ".json".
type Kind string

const (
	SMTPD              Kind = "smtpd"
	SMTPDApp           Kind = "smtpd-app"
	SMTPDPolicy        Kind = "smtpd-policy"
	SMTPDSuspend       Kind = "smtpd-suspend"
	SMTPDDelivery      Kind = "smtpd-delivery"
	HalonCtl           Kind = "halonctl"
	RateD              Kind = "rated"
	RateDApp           Kind = "rated-app"
	RateCtl            Kind = "ratectl"
	DLPD               Kind = "dlpd"
	DLPDApp            Kind = "dlpd-app"
	DLPCtl             Kind = "dlpctl"
	API                Kind = "api"
	Web                Kind = "web"
	WebHistory         Kind = "web-history"
	Submission         Kind = "submission"
	SubmissionTracking Kind = "submission-tracking"
	ClusterD           Kind = "clusterd"
	PolicyD            Kind = "policyd"
	PolicyDApp         Kind = "policyd-app"
)

// Version is the MAJOR.MINOR that a file declares.
type Version struct{ Major, Minor int }

// String writes v as MAJOR.MINOR.
func (v Version) String() string { return strconv.Itoa(v.Major) + "." + strconv.Itoa(v.Minor) }

// Before reports whether v is older than w.
func (v Version) Before(w Version) bool {
	return v.Major < w.Major || v.Major == w.Major && v.Minor < w.Minor
}

// project is a set of kinds that share a sequence of versions.
type project struct {
	oldest, newest Version
	kinds          []Kind
}

// anyMinor stands for projects of which only the major version is established.
const anyMinor = 99

var projects = []project{
	{Version{5, 12}, Version{6, 11}, []Kind{SMTPD, SMTPDApp, SMTPDPolicy, SMTPDSuspend, SMTPDDelivery, HalonCtl}},
	{Version{5, 0}, Version{10, anyMinor}, []Kind{RateD, RateDApp, RateCtl, DLPD, DLPDApp, DLPCtl}},
	{Version{5, 12}, Version{6, 11}, []Kind{API}},
	{Version{1, 0}, Version{1, anyMinor}, []Kind{Web, WebHistory}},
	{Version{1, 0}, Version{1, anyMinor}, []Kind{Submission, SubmissionTracking}},
	{Version{1, 0}, Version{1, 1}, []Kind{ClusterD}},
	{Version{1, 0}, Version{1, 0}, []Kind{PolicyD, PolicyDApp}},
}

// Kinds lists every kind, in the order of the reference.
func Kinds() []Kind {
	var all []Kind
	for _, p := range projects {
		all = append(all, p.kinds...)
	}
	return all
}

// KindOf tells the kind of a file from its name. A dash-separated prefix is
// allowed, so that "test-smtpd-app.yaml" is an smtpd-app.
func KindOf(file string) (Kind, error) {
	base := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), ".yaml"), ".yml")
	for rest, more := base, true; more; _, rest, more = strings.Cut(rest, "-") {
		if slices.Contains(Kinds(), Kind(rest)) {
			return Kind(rest), nil
		}
	}
	return "", fmt.Errorf("config: %s: the file name tells no kind of configuration", file)
}

// Versions returns the oldest and the newest version of k that are known.
func (k Kind) Versions() (oldest, newest Version) {
	for _, p := range projects {
		if slices.Contains(p.kinds, k) {
			return p.oldest, p.newest
		}
	}
	return Version{}, Version{}
}

// ParseVersion reads MAJOR.MINOR.
func ParseVersion(s string) (Version, error) {
	major, minor, found := strings.Cut(s, ".")
	a, err1 := parseDigits(major)
	b, err2 := parseDigits(minor)
	if !found || err1 != nil || err2 != nil || a > 1000 || b > 1000 {
		return Version{}, ErrUnknownVersion
	}
	return Version{int(a), int(b)}, nil
}
