package extra_test

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/script/extra"
)

// milterd answers the end of the message with what the body says, in words parted by
// line breaks, and all else with "go on".
func milterd(conn net.Conn) {
	var body string
	for {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		data := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(conn, data); err != nil {
			return
		}
		answers := []string{"c"}
		switch data[0] {
		case 'O':
			answers = []string{"O\x00\x00\x00\x06\x00\x00\x00\x33\x00\x00\x00\x00"}
		case 'D':
			continue
		case 'B':
			body = string(data[1:])
		case 'E':
			answers = strings.Split(strings.ReplaceAll(strings.TrimSuffix(body, "\r\n"), "~", "\x00"), "\r\n")
		case 'Q':
			return
		}
		for _, a := range answers {
			conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(a))), a...))
		}
	}
}

func TestMilter(t *testing.T) {
	m := extra.New(extra.Options{})
	at := port(serve(t, "tcp", "127.0.0.1:0", milterd))
	for _, tt := range []struct{ body, then, want string }{
		{`a`, `$f->getAction()`, "none"},
		{`r`, `$f->getAction()`, "reject"},
		{`y550 5.7.1 go away~`, `$f->getAction() . json_encode($f->getReply())`, `setreply{"reason":"go away","reply_codes":{"code":550,"enhanced":[5,7,1]}}`},
		{`qwhy~\r\na`, `$f->getAction() . $f->getReply()["reason"]`, "quarantinewhy"},
		{`hX-Score~5~\r\na`, `$f->getHeaderValue("x-score") . $f->getHeaderValue("subject") . ($f->getHeaderValue("x-none") ?? "-")`, "5hello-"},
		{`hX-Score~5~\r\nm~~~\x01Subject~bye~\r\nm~~~\x01X-Old~~\r\nbnew\r\na`, `$m->toString()`, "X-Score: 5\r\nSubject: bye\r\n\r\nnew"},
	} {
		expect(t, m, "milter", "Milter", `$m = MailMessage::String("Subject: hello\r\nX-Old: 1\r\n\r\n`+tt.body+`\r\n");
			$f = Milter(["port" => `+at+`, "timeout" => 30, "timeout_eod" => 30], "192.0.2.1", 25, none, "helo.test", "a@b.test", ["c@d.test"], "id", $m);
			echo `+tt.then+`;`, tt.want)
	}
	expect(t, m, "milter", "Milter", `try { Milter(["port" => `+at+`], "nowhere", 25, "", "", "", [], "id", MailMessage::String("a: b\r\n\r\n")); }
		catch ($e) { echo $e->message(); }`, "Milter: the client has no address and port")
}
