package script

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/session"
	"github.com/posthaste-mta/posthaste/internal/sink"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// The variables of the phases of a session, as spec hsl-phases.md 1.4 to 9 has
// them: a path and its type to a line, with a question mark for what is there
// only when it is known.
const (
	identity = `
		connection array
		connection.id string
		connection.priority number
		context none
		`
	connected = identity + `
		connection.remoteip string
		connection.remoteport number
		connection.remoteptr string?
		connection.remoteuid number?
		connection.localip string
		connection.localport number
		connection.serverid string
		connection.tls array?
		connection.tls.protocol string?
		connection.tls.cipher string?
		connection.tls.keysize number?
		connection.tls.sni string?
		connection.tls.peercert array?
		connection.tls.peercert.x509 resource?
		connection.tls.peercert.chain array?
		connection.tls.peercert.error number?
		`
	greeted = connected + `
		connection.helo array?
		connection.helo.verb string?
		connection.helo.host string?
		`
	authenticated = `
		connection.auth array?
		connection.auth.mechanism string?
		connection.auth.username string?
		`
	transacted = `
		transaction array
		transaction.id string
		transaction.sender string?
		transaction.senderaddress array?
		transaction.senderaddress.localpart string?
		transaction.senderaddress.domain string?
		transaction.senderparams array?
		transaction.recipients array?
		`
	begun = `
		transaction array
		transaction.id string
		`
)

var variables = map[session.Phase]string{
	session.PhaseConnect: identity + begun + `
		arguments array
		arguments.remoteip string
		arguments.remoteport number
		arguments.remoteptr string?
		arguments.remoteuid number?
		arguments.localip string
		arguments.localport number
		arguments.serverid string
		arguments.proxyip string?
		arguments.proxytlv string?`,
	session.PhaseProxy: greeted + authenticated + transacted + `
		arguments array
		arguments.command string`,
	session.PhaseHelo: connected + authenticated + begun + `
		arguments array
		arguments.verb string
		arguments.host string
		arguments.extensions array?`,
	session.PhaseAuth: greeted + begun + `
		arguments array
		arguments.mechanism string
		arguments.username string?
		arguments.password string?
		arguments.state number?
		arguments.response string?`,
	session.PhaseMailFrom: greeted + authenticated + begun + `
		arguments array
		arguments.sender string
		arguments.address array
		arguments.address.localpart string
		arguments.address.domain string
		arguments.params array`,
	session.PhaseRcptTo: greeted + authenticated + transacted + `
		arguments array
		arguments.recipient string
		arguments.address array
		arguments.address.localpart string
		arguments.address.domain string
		arguments.params array
		arguments.transportid string?`,
	session.PhaseEndOfData: greeted + authenticated + transacted + `
		transaction.ts number
		transaction.recipients.0 array
		transaction.recipients.0.recipient string
		transaction.recipients.0.address array
		transaction.recipients.0.address.localpart string
		transaction.recipients.0.address.domain string
		transaction.recipients.0.params array
		transaction.recipients.0.transportid string
		arguments array
		arguments.mail object`,
	session.PhaseDisconnect: greeted + authenticated + `
		transaction array
		arguments array
		arguments.close string
		arguments.reply array?
		arguments.reply.code number?
		arguments.reply.enhanced array?
		arguments.reply.reason array?
		arguments.reply.state string?
		arguments.error array?
		arguments.error.reason string?
		arguments.error.type string?
		arguments.error.code number?`,
}

// TestEveryVariable lets a script of each phase tell the type of all that it is
// given: once of a client of which everything is known, and once of one of which
// nothing is.
func TestEveryVariable(t *testing.T) {
	for phase, table := range variables {
		rows := strings.Fields(table)
		for _, known := range []bool{true, false} {
			got := strings.Fields(kinds(t, phase, rows, known))
			if len(got) != len(rows)/2 {
				t.Errorf("%v: %d kinds of %d variables: %q", phase, len(got), len(rows)/2, got)
				continue
			}
			for i, kind := range got {
				path, want := rows[2*i], rows[2*i+1]
				want, optional := strings.CutSuffix(want, "?")
				if optional && !there(phase, path, known) {
					want = "none"
				}
				if kind != want {
					t.Errorf("%v: %s is %s, want %s (all known: %v)", phase, path, kind, want, known)
				}
			}
		}
	}
}

// there reports whether something that is not always there is there now. A phase
// within a transaction knows it, and the client of which nothing is known logs in
// by a mechanism that is decoded by the script.
func there(phase session.Phase, path string, known bool) bool {
	switch {
	case path == "arguments.state" || path == "arguments.response":
		return !known
	case phase == session.PhaseRcptTo || phase == session.PhaseEndOfData:
		return known || strings.HasPrefix(path, "transaction.")
	}
	return known
}

const kindOf = `
function kind($x) {
	if (is_string($x)) return "string";
	if (is_number($x)) return "number";
	if (is_array($x)) return "array";
	if (is_object($x)) return "object";
	if (is_boolean($x)) return "boolean";
	return $x === none ? "none" : "resource";
}
function at($x, $path) {
	foreach ($path as $key) {
		if (!is_array($x)) return none;
		$x = $x[$key] ?? none;
	}
	return $x;
}
`

// kinds is what a script of the phase says to the paths of the rows.
func kinds(t *testing.T, phase session.Phase, rows []string, known bool) string {
	t.Helper()
	text := kindOf
	for i := 0; i < len(rows); i += 2 {
		name, path, _ := strings.Cut(rows[i], ".")
		keys := `"` + strings.ReplaceAll(path, ".", `","`) + `"`
		if path == "" {
			keys = ""
		}
		text += "echo kind(at($" + name + ", [" + strings.ReplaceAll(keys, `"0"`, "0") + "]));\n"
	}
	var said strings.Builder
	e, err := New(Options{
		Library: stdlib.New(stdlib.Options{}),
		Source:  Source{Hooks: map[string]map[string]string{phase.String(): {"h": text}}},
		Events: Events{
			Echoed: func(_, _, _, text string) { said.WriteString(text + "\n") },
			Failed: func(_, _, _, detail string) { t.Error(detail) },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Session(Server{ID: "inbound", Hooks: map[session.Phase]string{phase: "h"}})
	if err != nil {
		t.Fatal(err)
	}
	if known {
		acquaint(t, s, phase)
	} else {
		meet(t, s, phase)
	}
	return said.String()
}

// acquaint calls the hook of a phase with all that can be known.
func acquaint(t *testing.T, s *Session, phase session.Phase) {
	t.Helper()
	pair, err := sink.SelfSigned("client.example")
	if err != nil {
		t.Fatal(err)
	}
	shown, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	c, tx := client(), transaction()
	c.ID, c.Transaction, tx.ID, tx.Begun = envelope.NewTimeID(), envelope.NewTimeID(), envelope.NewTimeID(), time.Unix(1, 0)
	c.PTR.Name, c.UID, c.HasUID, c.Proxy = "client.example", 7, true, netip.MustParseAddr("192.0.2.3")
	c.TLVs = []session.TLV{{Type: 2, Value: []byte("x.example")}}
	c.Helo = session.Helo{Verb: "EHLO", Host: "client.example"}
	c.TLS = &session.TLS{ConnectionState: tls.ConnectionState{
		Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, ServerName: "mx.example", PeerCertificates: []*x509.Certificate{shown},
	}}
	c.Auth = session.Login{Mechanism: "PLAIN", Username: "joe"}
	switch phase {
	case session.PhaseProxy:
		s.Proxy(t.Context(), c, tx, "NOOP")
	case session.PhaseHelo:
		s.Helo(t.Context(), c, []string{"SIZE"})
	case session.PhaseAuth:
		s.Auth(t.Context(), c, &session.Authentication{Mechanism: "PLAIN", Username: "joe", Password: "pw"})
	case session.PhaseDisconnect:
		s.Disconnect(t.Context(), c, session.Closing{Reply: smtp.NewReply(421, smtp.EnhancedCode{4, 4, 2}, "bye"), State: "DATA", Err: errors.New("lost")})
	default:
		call(t, s, phase, c, tx)
	}
}

// meet calls the hook of a phase with what there is in any case.
func meet(t *testing.T, s *Session, phase session.Phase) {
	t.Helper()
	c := client()
	switch phase {
	case session.PhaseProxy:
		s.Proxy(t.Context(), c, nil, "EHLO x")
	case session.PhaseHelo:
		c.Helo = session.Helo{Verb: "HELO", Host: "x"}
		s.Helo(t.Context(), c, nil)
	case session.PhaseAuth:
		s.Auth(t.Context(), c, &session.Authentication{Mechanism: "X-OWN", State: 1, Response: []byte("r")})
	case session.PhaseDisconnect:
		s.Disconnect(t.Context(), c, session.Closing{})
	default:
		tx := transaction()
		tx.Recipients[0].Transport = ""
		call(t, s, phase, c, tx)
	}
}

// call calls the hooks of the phases to which there is nothing more to know.
func call(t *testing.T, s *Session, phase session.Phase, c *session.Connection, tx *session.Transaction) {
	t.Helper()
	switch phase {
	case session.PhaseConnect:
		s.Connect(t.Context(), c)
	case session.PhaseMailFrom:
		s.MailFrom(t.Context(), c, tx)
	case session.PhaseRcptTo:
		s.RcptTo(t.Context(), c, tx, &tx.Recipients[0])
	case session.PhaseEndOfData:
		s.EndOfData(t.Context(), c, tx, session.NewMail(tx, bytes.NewReader(nil), nil))
	default:
		t.Fatalf("no hook for %v", phase)
	}
}
