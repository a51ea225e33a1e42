package config

import (
	"slices"
	"testing"
)

func TestKindOf(t *testing.T) {
	for file, want := range map[string]Kind{
		"/etc/halon/smtpd.yaml": SMTPD, "smtpd-app.yaml": SMTPDApp, "a/test-smtpd-app.yml": SMTPDApp, "web-history.yaml": WebHistory,
		"dist/submission-tracking.yaml": SubmissionTracking,
	} {
		if got, err := KindOf(file); err != nil || got != want {
			t.Errorf("KindOf(%q) = %q, %v; want %q", file, got, err, want)
		}
	}
	for _, file := range []string{"", "other.yaml", "smtpd-apps.yaml", "app.yaml"} {
		if got, err := KindOf(file); err == nil {
			t.Errorf("KindOf(%q) = %q; want an error", file, got)
		}
	}
}

func TestFindLayout(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string
		want  Layout
	}{
		{"fresh host", nil, OwnLayout},
		{"ours", []string{"/etc/posthaste/smtpd.yaml"}, OwnLayout},
		{"Halon's alone", []string{"/etc/halon/smtpd.yaml"}, HalonLayout},
		{"both", []string{"/etc/halon/smtpd.yaml", "/etc/posthaste/smtpd.yaml"}, OwnLayout},
		{"another program of Halon's", []string{"/etc/halon/rated.yaml"}, OwnLayout},
	} {
		got := FindLayout(SMTPD, func(path string) bool { return slices.Contains(c.files, path) })
		if got != c.want {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

func TestLayoutPath(t *testing.T) {
	for own, want := range map[string]string{
		"/etc/posthaste/smtpd-app.yaml": "/etc/halon/smtpd-app.yaml",
		"/var/spool/posthaste/queue":    "/var/spool/halon/queue",
		"/run/posthaste/smtpd.ctl":      "/var/run/halon/smtpd.ctl",
		"/var/lib/posthaste/web/web.db": "/var/lib/halon/web/web.db",
		"/run/posthaste2/x":             "/run/posthaste2/x",
		"/":                             "/",
	} {
		if got := HalonLayout.Path(own); got != want {
			t.Errorf("%s: got %s, want %s", own, got, want)
		}
		if got := OwnLayout.Path(own); got != own {
			t.Errorf("%s: got %s in our own layout", own, got)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"listeners", "id", "type", "threads"}
	for word, want := range map[string]string{
		"lisenters": "listeners", "listener": "listeners", "ip": "id", "tpye": "type", "thread": "threads", "zzz": "", "": "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
