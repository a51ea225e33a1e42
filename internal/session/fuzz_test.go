package session

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// FuzzSession feeds a whole conversation at once. Whatever it is, the session
// ends, answers in well-formed replies, not more than it was asked, and keeps no
// body.
func FuzzSession(f *testing.F) {
	f.Add([]byte("EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n\r\n..\r\n.\r\nQUIT\r\n"), uint8(0))
	f.Add([]byte("EHLO a\r\nMAIL FROM:<a@b> BODY=BINARYMIME\r\nRCPT TO:<c@d>\r\nBDAT 3\r\nabcBDAT 2 LAST\r\n\r\nRSET\r\n"), uint8(1))
	f.Add([]byte("LHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<c@d>\r\nDATA\r\na\n.\nb\r\n.\r\n"), uint8(2))
	f.Add([]byte("XCLIENT ADDR=127.0.0.1 HELO=x\r\nMAIL FROM:<a@b>\r\nEHLO a\r\nAUTH PLAIN\r\nAGEAYg==\r\nAUTH LOGIN YQ==\r\n*\r\n"), uint8(4))
	f.Fuzz(func(t *testing.T, in []byte, mode uint8) {
		queue := new(memory)
		hooks := &rules{rules: []rule{
			parseRule("auth * accept"), parseRule("rcptto <c* accept"), parseRule("rcptto * reject"), parseRule("eod * accept"),
		}}
		settings := &Settings{
			Hostname: "mx.example.com", Transport: "mx", LMTP: mode&2 != 0, Queue: queue, Hooks: hooks,
			Auth:    Auth{Mechanisms: []string{"PLAIN", "LOGIN", "X"}},
			XCLIENT: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
			Limits:  Limits{Size: 1000, Excess: 1000, Recipients: 3},
			Extensions: Extensions{
				Pipelining: true, EightBitMIME: true, SMTPUTF8: true, EnhancedStatusCodes: true, Size: true, Chunking: true, DSN: true,
			},
		}
		if mode&1 != 0 {
			settings.LineEnds, settings.NULs = smtp.Repair, smtp.Repair
		}
		client, server := pipe()
		_, _ = client.Write(in)
		_ = client.CloseWrite()
		peer := Peer{Remote: netip.MustParseAddrPort("192.0.2.1:1")}
		New(server, peer, settings).Serve(t.Context())
		checkOutput(t, in, client)
		if queue.open != 0 {
			t.Errorf("%d bodies not discarded", queue.open)
		}
		for _, m := range queue.messages {
			if m.Size != int64(len(m.body)) || !bytes.HasPrefix(m.body, []byte("Received: from ")) {
				t.Errorf("size %d of %.100q", m.Size, m.body)
			}
		}
	})
}

func checkOutput(t *testing.T, in []byte, client io.Reader) {
	out, _ := io.ReadAll(client)
	replies := smtp.NewReader(bytes.NewReader(out))
	n := 0
	for ; ; n++ {
		_, err := smtp.ReadReply(replies)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in %q", err, out)
		}
	}
	// A line has at most one reply, with LMTP one per recipient, and banner and
	// farewell are extra.
	if most := 3*bytes.Count(in, []byte("\n")) + 3; n > most {
		t.Errorf("%d replies to %d lines", n, most)
	}
}
