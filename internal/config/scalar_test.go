package config

import (
	"io/fs"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "90": 90 * time.Second, "1.5": 1500 * time.Millisecond, ".25": 250 * time.Millisecond,
		"15m": 15 * time.Minute, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour, "1d1h1m1s": 25*time.Hour + 61*time.Second,
		"0s": 0, "90m": 90 * time.Minute,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "-1", "+1", "1e3", "m", "1m1h", "1h 30m", "5 minutes", "1.5h", "1m1m", "Inf", "NaN", "1.2.3", ".",
		"99999999999", "99999999999d", "9223372036854775807s", "0x10", "1_0",
	} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v; want an error", text, got)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0": 0, "52428800": 50 << 20, "60MiB": 60 << 20, "1TiB": 1 << 40, "2GiB": 2 << 30, "3KiB": 3072, "7B": 7,
	} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "1MB", "1 MiB", "-1", "1.5GiB", "9999999TiB", "1mib", "0x1"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("ParseBytes(%q) = %v; want an error", text, got)
		}
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]Rate{
		"120/60": {120, time.Minute}, "1/10": {1, 10 * time.Second}, "5": {5, time.Second}, "0/1": {0, time.Second},
	} {
		if got, err := ParseRate(text); err != nil || got != want {
			t.Errorf("ParseRate(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "/", "1/0", "1/", "/60", "-1/60", "1/1/1", "1/1m", "1.5/60", "1/99999999999"} {
		if got, err := ParseRate(text); err == nil {
			t.Errorf("ParseRate(%q) = %v; want an error", text, got)
		}
	}
}

func TestParseMode(t *testing.T) {
	for text, want := range map[string]fs.FileMode{
		"0660": 0o660, "027": 0o027, "4755": 0o755 | fs.ModeSetuid, "1777": 0o777 | fs.ModeSticky,
	} {
		if got, err := ParseMode(text); err != nil || got.FileMode() != want {
			t.Errorf("ParseMode(%q) = %v, %v; want %v", text, got.FileMode(), err, want)
		}
	}
	for _, text := range []string{"", "66", "0888", "00660", "rw-", "-660", "+660"} {
		if got, err := ParseMode(text); err == nil {
			t.Errorf("ParseMode(%q) = %v; want an error", text, got)
		}
	}
}

func TestParseEndpoint(t *testing.T) {
	for _, text := range []string{"192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:5353"} {
		if _, err := ParseEndpoint(text); err != nil {
			t.Errorf("ParseEndpoint(%q): %v", text, err)
		}
	}
	for _, text := range []string{"", "localhost:53", "192.0.2.1:", "192.0.2.1:0", "fe80::1%eth0", "[192.0.2.1", "192.0.2.1:70000"} {
		if got, err := ParseEndpoint(text); err == nil {
			t.Errorf("ParseEndpoint(%q) = %v; want an error", text, got)
		}
	}
}

// FuzzScalars reads back what each scalar type writes.
func FuzzScalars(f *testing.F) {
	for _, seed := range []string{"1h30m", "1.5", "60MiB", "120/60", "0660", "192.0.2.0/24", "[::1]:53", "1d", "::ffff:1.2.3.4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseDuration(text); err == nil {
			roundTrip(t, d, FormatDuration(d), ParseDuration)
		}
		if b, err := ParseBytes(text); err == nil {
			roundTrip(t, b, b.String(), ParseBytes)
		}
		if r, err := ParseRate(text); err == nil {
			roundTrip(t, r, r.String(), ParseRate)
		}
		if m, err := ParseMode(text); err == nil {
			roundTrip(t, m, m.String(), ParseMode)
		}
		if p, err := ParsePrefix(text); err == nil {
			roundTrip(t, p, p.String(), ParsePrefix)
		}
		if e, err := ParseEndpoint(text); err == nil && e.Port() != 0 {
			roundTrip(t, e, e.String(), ParseEndpoint)
		}
	})
}

func roundTrip[T comparable](t *testing.T, value T, text string, parse func(string) (T, error)) {
	t.Helper()
	if again, err := parse(text); err != nil || again != value {
		t.Errorf("%v is written as %q, which reads as %v, %v", value, text, again, err)
	}
}
