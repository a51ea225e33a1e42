package daemon

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConsole(t *testing.T) {
	var b bytes.Buffer
	l := NewLogger(Console{W: &b, Ident: "smtpd"})
	l.Debug("not this")
	l.Info("first", "key", "a value", "n", 7)
	l.With("id", "x").Error("a line\r\nsmtpd: forged")
	l.Line(slog.LevelInfo, "plain")
	l.SetLevel(slog.LevelError)
	l.Info("not this either")
	l.SetLevel(slog.LevelDebug)
	l.SetMask(255 &^ (1 << PriorityInfo))
	l.Info("masked")
	l.Debug("kept")
	want := "smtpd: first key=\"a value\" n=7\nsmtpd: a line  smtpd: forged id=x\nsmtpd: plain\nsmtpd: kept\n"
	if got := b.String(); got != want {
		t.Errorf("log is\n%s\nwant\n%s", got, want)
	}
}

// TestSyslog speaks with a socket like that of a syslog daemon, which goes away
// and comes back in between.
func TestSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := NewLogger(&Syslog{Path: path, Ident: "smtpd", Facility: facilities["mail"]})
	for _, text := range []string{"before", "after"} {
		sock, err := net.ListenPacket("unixgram", path)
		if err != nil {
			t.Fatal(err)
		}
		l.Warn(text)
		b := make([]byte, 512)
		n, _, err := sock.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(b[:n]); !strings.HasPrefix(got, "<20>") || !strings.HasSuffix(got, "]: "+text) || !strings.Contains(got, " smtpd[") {
			t.Errorf("sent %q", got)
		}
		sock.Close()
		os.Remove(path)
		l.Warn("nobody listens") // must neither fail nor block
	}
}

func TestSystem(t *testing.T) {
	if _, err := System("smtpd", "nonsense"); err == nil {
		t.Error("an unknown facility was taken")
	}
	if _, err := System("smtpd", "local3"); err != nil {
		t.Error(err)
	}
}
