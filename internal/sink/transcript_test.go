package sink

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

// play speaks the lines of a transcript to a sink with the given options, in a
// bubble of fake time, and returns the sink. "C:" lines are sent, consecutive
// ones at once; "S:" lines are patterns that the replies must match.
func play(t *testing.T, o Options, transcript string) *Sink {
	t.Helper()
	s := newSink(t, o)
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.ServeConn(t.Context(), server)
		}()
		converse(t, client, transcript)
		client.Close()
		<-done
	})
	return s
}

func newSink(t *testing.T, o Options) *Sink {
	t.Helper()
	if o.Hostname == "" {
		o.Hostname = "sink.test"
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func converse(t *testing.T, client net.Conn, transcript string) {
	t.Helper()
	replies := bufio.NewReader(client)
	var group strings.Builder
	for n, line := range strings.Split(strings.TrimSuffix(transcript, "\n"), "\n") {
		if text, ok := strings.CutPrefix(line, "C: "); ok {
			group.WriteString(text + "\r\n")
			continue
		}
		if group.Len() > 0 {
			text := group.String()
			group.Reset()
			go func() { _, _ = io.WriteString(client, text) }() // the sink may answer before it has read all
		}
		want := strings.TrimPrefix(line, "S: ")
		got, err := replies.ReadString('\n')
		if err != nil {
			got = "(closed)"
		}
		if got = strings.TrimRight(got, "\r\n"); !matchGlob(want, got) {
			t.Fatalf("line %d: got %q, want %q", n+1, got, want)
		}
	}
}

func rules(t *testing.T, lines ...string) []Rule {
	t.Helper()
	r, err := ReadRules(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTranscripts(t *testing.T) {
	options := map[string]Options{
		"smtp":     {},
		"chunking": {},
		"lmtp":     {LMTP: true},
		"refused":  {Rules: rules(t, "* connect reply 554 5.7.1 not you")},
		"limits": {
			MaxSize: 10, MaxRecipients: 1, MaxMessages: 2, Auth: true,
			Hide: Pipelining | Chunking | EightBitMIME | DSN,
		},
		"rules": {Rules: rules(t,
			`* helo reply 250 hello there\nfriend`,
			"bad.example mail reply 550 5.7.1 go away",
			"gone.example rcpt reply 550 5.1.1 no such user",
			"*@*.slow.example rcpt reply 451 4.7.1 slow down",
			"vip@a.slow.example rcpt reply 250 second rule",
			"y.example rcpt reply 250 fine by me",
			"quota@* data reply 552 5.2.2 full",
			"# a comment", "",
			"* noop reply 421 4.3.0 no more",
		)},
	}
	files, err := filepath.Glob("testdata/*.smtp")
	if err != nil || len(files) != len(options) {
		t.Fatalf("%d transcripts, %d options, %v", len(files), len(options), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".smtp")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			play(t, options[name], string(text))
		})
	}
}
