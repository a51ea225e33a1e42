package delivery

import (
	"maps"
	"slices"
	"time"
)

// Rebase returns the settings of t, which were made from those of from, as they
// would be had they been made from those of to: what t has in common with from
// is that of to, as far as the settings for a destination can differ (spec
// config.md 7). So what a hook wants goes before what holds for the destination,
// key by key.
func (t *Transport) Rebase(from, to *Transport) *Transport {
	out := *t
	rebase(&out.ConnectTimeout, from.ConnectTimeout, to.ConnectTimeout)
	rebase(&out.Pooling.Enabled, from.Pooling.Enabled, to.Pooling.Enabled)
	rebase(&out.Pooling.Timeout, from.Pooling.Timeout, to.Pooling.Timeout)
	rebase(&out.Pooling.Transactions, from.Pooling.Transactions, to.Pooling.Transactions)
	rebase(&out.Pooling.Fixed, from.Pooling.Fixed, to.Pooling.Fixed)
	out.TLS.rebase(&from.TLS, &to.TLS)
	out.Timeouts = rebaseTimeouts(t.Timeouts, from.Timeouts, to.Timeouts)
	return &out
}

func rebase[T comparable](own *T, from, to T) {
	if *own == from {
		*own = to
	}
}

func (t *TLS) rebase(from, to *TLS) {
	rebase(&t.Mode, from.Mode, to.Mode)
	rebase(&t.SNIHost, from.SNIHost, to.SNIHost)
	rebase(&t.SNIName, from.SNIName, to.SNIName)
	rebase(&t.VerifyHost, from.VerifyHost, to.VerifyHost)
	rebase(&t.DefaultCA, from.DefaultCA, to.DefaultCA)
	if t.MinVersion == from.MinVersion && t.MaxVersion == from.MaxVersion {
		t.MinVersion, t.MaxVersion = to.MinVersion, to.MaxVersion
	}
	if slices.Equal(t.Ciphers, from.Ciphers) {
		t.Ciphers = to.Ciphers
	}
	if slices.Equal(t.VerifyNames, from.VerifyNames) {
		t.VerifyNames = to.VerifyNames
	}
}

func rebaseTimeouts(own, from, to map[Stage]time.Duration) map[Stage]time.Duration {
	if maps.Equal(own, from) {
		return to
	}
	out := maps.Clone(to)
	if out == nil {
		out = map[Stage]time.Duration{}
	}
	for stage, d := range own {
		if d != from[stage] {
			out[stage] = d
		}
	}
	return out
}
