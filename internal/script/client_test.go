package script_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script"
	"github.com/posthaste-mta/posthaste/internal/sink"
)

// far is a host that scripts send to, and what it took.
type far struct {
	*sink.Sink
	addr netip.AddrPort

	mu       sync.Mutex
	messages []string // "helo protocol user: <sender> PARAMS <recipient> PARAMS …: body"
}

func newFar(t *testing.T, o sink.Options, rules ...string) *far {
	t.Helper()
	f := &far{}
	o.Listen, o.Hostname, o.Capture, o.OnMessage = []string{"127.0.0.1:0"}, "far.example", 1<<20, f.note
	for _, text := range rules {
		r, err := sink.ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		o.Rules = append(o.Rules, r)
	}
	var err error
	if f.Sink, err = sink.New(o); err != nil {
		t.Fatal(err)
	}
	if err := f.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Stop)
	f.addr = netip.MustParseAddrPort(f.Addr().String())
	return f
}

func (f *far) note(m *sink.Message) {
	remote := netip.MustParseAddrPort(m.Remote.String())
	text := m.Helo + " " + remote.Addr().String() + " " + m.Protocol
	if m.Username != "" {
		text += " " + m.Username
	}
	text += ":" + string(m.Params.Append([]byte(" "+m.Sender.Path())))
	for _, r := range m.Recipients {
		text += string(r.Params.Append([]byte(" " + r.Address.Path())))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages = append(f.messages, text+": "+string(m.Body))
}

func (f *far) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.messages
}

// known are the things that the scripts of these tests refer to by id.
type known struct {
	certificate tls.Certificate
	transport   *delivery.Transport
}

func (k known) Certificate(id string) (*tls.Certificate, error) {
	if id != "ours" {
		return nil, fmt.Errorf("no certificate %q", id)
	}
	return &k.certificate, nil
}

func (known) Source(id string) (delivery.Source, bool) {
	return delivery.Source{ID: "two", Addr: netip.MustParseAddr("127.0.0.2"), Hostname: "two.example"}, id == "two"
}

func (k known) Transport(id string) (*delivery.Transport, bool) {
	return k.transport, k.transport != nil && id == k.transport.ID
}

// lab runs scripts with a client.
type lab struct {
	library *value.Library
	courier *delivery.Courier
	lines   []string // of ways that were taken
}

func newLab(t *testing.T, r script.Resources, records ...string) *lab {
	t.Helper()
	srv := dnstest.New(t, strings.Join(records, "\n"))
	resolver, err := dns.New(dns.Options{Servers: []netip.AddrPort{srv.Addr()}, CacheSize: 10, DomainCacheSize: 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(resolver.Stop)
	l := &lab{}
	l.courier = delivery.New(resolver, delivery.Options{Hostname: "client.example"}, delivery.Events{
		Connecting: func(_ *delivery.Attempt, w delivery.Way) { l.lines = append(l.lines, w.String()) },
	})
	client := script.NewClient(l.courier, r)
	send := declare.Function("send_text(string text, string or array sender, array recipients, string or array server) array", "Sends.", "",
		func(c *value.Call) (value.Value, error) {
			return client.Send(c, content(c.Str(0)), c.Args[1], c.Array(2), c.Args[3])
		})
	l.library = client.Library(value.NewLibrary(stdlib.New(stdlib.Options{}), value.Declarations{Builtins: []*value.Builtin{send}}))
	return l
}

// content is a message in memory that can only be written.
type content string

func (c content) Size() int64 { return int64(len(c)) }

func (c content) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, string(c))
	return int64(n), err
}

// run runs a script and returns what it echoed, or its error. HOST and PORT in it
// are those of the peer.
func (l *lab) run(t *testing.T, peer *far, text string, limits value.Limits) string {
	t.Helper()
	if peer != nil {
		text = strings.NewReplacer("HOST", peer.addr.Addr().String(), "PORT", strconv.Itoa(int(peer.addr.Port()))).Replace(text)
	}
	p, err := hsl.Compile("test", text, hsl.Options{Library: l.library})
	if err != nil {
		t.Fatal(err)
	}
	out := ""
	_, err = p.Run(t.Context(), hsl.Execution{Setup: value.Setup{Limits: limits, Echo: func(s string) { out += s }}})
	if err != nil {
		return "error: " + err.Error()
	}
	return out
}

const sendHello = `$r = send_text("Subject: x\r\n\r\nHello\r\n", `

// shown is the script that shows a result without what changes.
const shown = ` unset($r["duration"]); unset($r["connection"]["localip"]); echo json_encode($r);`

// TestSend sends with each option and looks at what the peer saw and what the
// script was told.
func TestSend(t *testing.T) {
	certificate, err := sink.SelfSigned("far.example", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	secure := sink.Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert}}
	const taken = `"code":250,"enhanced":[2,0,0],"reason":["taken"],"state":"EOD"`
	for name, c := range map[string]struct {
		options sink.Options
		rules   []string
		call    string // arguments behind the text
		saw     string // part of the message, or "" for none
		got     string // part of the result
	}{
		"plainly": {call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT]`,
			saw: `client.example 127.0.0.1 ESMTP: <a@example.org> SIZE=21 <b@example.net>: Subject: x`,
			got: `{"result":{` + taken + `},"connection":{"remoteip":"127.0.0.1","remotemx":"","tls":{"started":false}}}`},
		"server is host": {call: `"<>", ["b@example.net"], ["server" => "HOST", "port" => PORT]`, saw: "ESMTP: <> SIZE=21 <b@example.net>", got: taken},
		"null sender":    {call: `"", ["b@example.net"], ["server" => "HOST", "port" => PORT]`, saw: ": <> ", got: taken},
		"addresses as arrays": {call: `["localpart" => "a b", "domain" => "example.org"], [["localpart" => "b", "domain" => "example.net"]], ["host" => "HOST", "port" => PORT]`,
			saw: `<"a b"@example.org> SIZE=21 <b@example.net>`, got: taken},
		"parameters": {call: `["localpart" => "a", "domain" => "example.org", "params" => ["RET" => "HDRS", "ENVID" => "x+3Dy", "SIZE" => "9"]],
			[["localpart" => "b", "domain" => "example.net", "params" => ["NOTIFY" => "SUCCESS,FAILURE", "orcpt" => "rfc822;z@example.net"]],
			 ["localpart" => "c", "domain" => "example.net", "params" => ["NOTIFY" => "NEVER"]]], ["host" => "HOST", "port" => PORT]`,
			saw: `<a@example.org> SIZE=21 RET=HDRS ENVID=x+3Dy <b@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;z@example.net <c@example.net> NOTIFY=NEVER: `, got: taken},
		"several recipients": {call: `"a@example.org", ["b@example.net", "c@example.net", "d@example.net"], ["host" => "HOST", "port" => PORT]`,
			saw: "<b@example.net> <c@example.net> <d@example.net>: Subject", got: taken},
		"one of them refused": {call: `"a@example.org", ["b@example.net", "550@example.net", "d@example.net"], ["host" => "HOST", "port" => PORT]`,
			got: `"state":"RCPT"`},
		"refused for good": {rules: []string{`* eod reply 554 5.7.1 no\nnever`}, call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT]`,
			got: `"result":{"code":554,"enhanced":[5,7,1],"reason":["no","never"],"state":"EOD"}`},
		"refused for now": {rules: []string{`* mail reply 450 later`}, call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT]`,
			got: `"result":{"code":450,"reason":["later"],"state":"MAIL"}`},
		"greeting": {rules: []string{`* connect reply 554 5.3.2 closed`}, call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT]`,
			got: `"result":{"code":554,"enhanced":[5,3,2],"reason":["closed"],"state":"BANNER"},"connection":{"remoteip"`},
		"lost": {rules: []string{`* rcpt drop`}, call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT]`,
			got: `{"error":{"temporary":true,"message":"connection closed by the host in reply to RCPT","reason":"connection closed`},
		"nobody there": {call: `"a@example.org", ["b@example.net"], ["host" => "127.0.0.1", "port" => 1, "connect_timeout" => 20]`,
			got: `"message":"connect to 127.0.0.1:1: connection refused"`},
		"time is up": {rules: []string{`* mail stall`}, call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT, "timeout" => ["MAIL" => 0.01]]`,
			got: `"message":"timed out in reply to MAIL"`},
		"name":         {call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT, "helo" => "other.example"]`, saw: "other.example 127.0.0.1", got: taken},
		"source":       {call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT, "sourceip" => "127.0.0.3"]`, saw: "client.example 127.0.0.3", got: taken},
		"source by id": {call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT, "sourceipid" => "two"]`, saw: "two.example 127.0.0.2", got: taken},
		"source with a name of its own": {call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT, "helo" => "x.example", "sourceip" => ["two"]]`,
			saw: "x.example 127.0.0.2", got: taken},
		"source that is not here": {call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT, "sourceip" => "192.0.2.7"]`,
			got: `"message":"source address 192.0.2.7 cannot be used"`},
		"source that need not be here": {call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT, "sourceip" => "192.0.2.7", "nonlocal_source" => true, "connect_timeout" => 0.05]`,
			got: `"message":"connect to `},
		"login": {options: sink.Options{Auth: true}, call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT, "saslusername" => "joe", "saslpassword" => "pw"]`,
			saw: "ESMTPA joe", got: taken},
		"TLS": {options: secure, call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT, "tls" => "require"]`,
			saw: "ESMTPS", got: `"tls":{"started":true,"protocol":"TLSv1.3","cipher":"TLS_`},
		"TLS is off by default": {options: secure, call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT]`, saw: " ESMTP:", got: taken},
		"TLS of one version": {options: secure, call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT, "tls" => "require",
			"tls_protocols" => "TLSv1.2", "tls_ciphers" => "ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384"]`,
			saw: "ESMTPS", got: `"protocol":"TLSv1.2","cipher":"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384","keysize":256`},
		"TLS that nobody vouches for": {options: secure, call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT, "tls" => "require_verify", "tls_default_ca" => true]`,
			got: `"message":"TLS handshake failed: certificate is not trusted`},
		"TLS that is not there": {call: `"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT, "tls" => "require"]`,
			got: `"message":"the host does not offer STARTTLS"`},
		"LMTP": {options: sink.Options{LMTP: true}, call: `"a@example.org", ["b@example.net", "c@example.net"], ["host" => "HOST", "port" => PORT, "protocol" => "lmtp"]`,
			saw: " LMTP: ", got: `"state":"EOD"`},
		"LMTP, one too many": {options: sink.Options{LMTP: true}, call: `"a@example.org", ["b@example.net", "eod-552@example.net"], ["host" => "HOST", "port" => PORT, "protocol" => "lmtp"]`,
			saw: "<b@example.net>: ", got: `"code":552`},
		"by MX": {call: `"a@example.org", ["b@mail.example"], ["host" => "lookup-mx", "port" => PORT]`, saw: "<b@mail.example>", got: `"remotemx":"mx.mail.example"`},
		"by MX of another": {call: `"a@example.org", ["b@example.net"], ["host" => "lookup-mx:mail.example", "port" => PORT, "mx_include" => ["*.mail.example"]]`,
			saw: "<b@example.net>", got: `"remotemx":"mx.mail.example"`},
		"MX left out": {call: `"a@example.org", ["b@mail.example"], ["host" => "lookup-mx", "port" => PORT, "mx_exclude" => ["mx.mail.example"]]`,
			got: `{"error":{"temporary":false,"message":"all mail exchanges of the domain are excluded here"`},
		"by name":      {call: `"a@example.org", ["b@example.net"], ["host" => "mx.mail.example", "port" => PORT]`, saw: "<b@example.net>", got: `"remotemx":"mx.mail.example"`},
		"no such name": {call: `"a@example.org", ["b@nowhere.example"], ["host" => "lookup-mx", "port" => PORT]`, got: `"temporary":false,"message":"the domain does not exist"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peer := newFar(t, c.options, c.rules...)
			l := newLab(t, known{certificate: certificate}, "mail.example. 300 IN MX 10 mx.mail.example.", "mx.mail.example. 300 IN A 127.0.0.1")
			got := l.run(t, peer, sendHello+c.call+");"+shown, value.Limits{})
			if !strings.Contains(got, c.got) {
				t.Errorf("the script got %s", got)
			}
			if saw := strings.Join(peer.took(), "\n"); (saw == "") != (c.saw == "") || !strings.Contains(saw, c.saw) {
				t.Errorf("the peer saw %q", saw)
			}
		})
	}
}

// TestSendResult: the keys come in the order that is documented, and the time.
func TestSendResult(t *testing.T) {
	peer := newFar(t, sink.Options{})
	l := newLab(t, nil)
	got := l.run(t, peer, sendHello+`"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT]);
		foreach ($r as $k => $v) echo $k . " "; foreach ($r["connection"] as $k => $v) echo $k . " ";
		if (is_number($r["duration"]) and $r["duration"] > 0) echo "time";`, value.Limits{})
	if want := "result connection duration localip remoteip remotemx tls time"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if len(l.lines) != 1 || !strings.HasPrefix(l.lines[0], "from [any] to [127.0.0.1]:") {
		t.Errorf("took the ways %q", l.lines)
	}
}

// TestSendMistakes are what cannot be tried.
func TestSendMistakes(t *testing.T) {
	l := newLab(t, known{})
	for call, want := range map[string]string{
		`"a@example.org", [], ["host" => "127.0.0.1"]`:                                                                        "send_text: there are no recipients",
		`"a@example.org", ["b@example.net"], ["port" => 25]`:                                                                  "send_text: the server has no host",
		`"a@example.org", [""], ["host" => "127.0.0.1"]`:                                                                      "the recipient is empty",
		`"a@example.org", ["b@example.net"], "nowhere"`:                                                                       `there is no transport "nowhere"`,
		`"a b", ["b@example.net"], ["host" => "127.0.0.1"]`:                                                                   "is not an address",
		`["localpart" => "a", "domain" => "b.example", "params" => ["X" => "1 2"]], ["b@x.example"], ["host" => "127.0.0.1"]`: `"X" => "1 2" is no parameter of SMTP`,
		`"a@example.org", ["b@example.net"], ["host" => "127.0.0.1", "port" => 0]`:                                            "port: 0 is no port",
		`"a@example.org", ["b@example.net"], ["host" => "127.0.0.1", "tls" => "yes"]`:                                         `tls: delivery: unknown TLS mode "yes"`,
		`"a@example.org", ["b@example.net"], ["host" => "127.0.0.1", "tls_client_cert" => "x"]`:                               `tls_client_cert: no certificate "x"`,
		`"a@example.org", ["b@example.net"], ["host" => "127.0.0.1", "sourceipid" => "x"]`:                                    `sourceipid: no address "x" is configured`,
		`"a@example.org", ["b@example.net"], ["host" => "127.0.0.1", "sourceip" => "x"]`:                                      "neither a configured id nor an IP address",
		`"a@example.org", ["b@example.net"], ["host" => "127.0.0.1", "protocol" => "http"]`:                                   "neither smtp nor lmtp",
		`"a@example.org", ["b@example.net"], ["host" => "127.0.0.1", "timeout" => ["TEA" => 5]]`:                              `unknown SMTP state "TEA"`,
		`"a@example.org", ["b@example.net"], ["host" => "127.0.0.1", "proxyprotocol" => ["server" => "x"]]`:                   "proxyprotocol: it needs a port",
		`"a@example.org", ["b@example.net"], ["host" => []]`:                                                                  "option host: want string, got array",
	} {
		if got := l.run(t, nil, sendHello+call+");", value.Limits{}); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, want) {
			t.Errorf("%s: %s", call, got)
		}
	}
	if len(l.lines) != 0 {
		t.Errorf("connected %q", l.lines)
	}
}

// TestSendByTransport sends by a transport of the configuration.
func TestSendByTransport(t *testing.T) {
	peer := newFar(t, sink.Options{})
	way := &delivery.Transport{ID: "out", Servers: []string{peer.addr.Addr().String()}, Port: peer.addr.Port(), Helo: "out.example"}
	l := newLab(t, known{transport: way})
	got := l.run(t, peer, sendHello+`"a@example.org", ["b@example.net"], "out");`+shown, value.Limits{})
	if saw := strings.Join(peer.took(), "\n"); !strings.Contains(got, `"code":250`) || !strings.HasPrefix(saw, "out.example ") {
		t.Errorf("%s; the peer saw %s", got, saw)
	}
}

// TestSendEndsWithScript: a peer that says nothing does not keep a script that
// has to end.
func TestSendEndsWithScript(t *testing.T) {
	peer := newFar(t, sink.Options{}, "* connect stall")
	l := newLab(t, nil)
	begin := time.Now()
	got := l.run(t, peer, `try {`+sendHello+`"a@example.org", ["b@example.net"], ["host" => "HOST", "port" => PORT]); } catch ($e) { echo "caught"; } echo "on";`,
		value.Limits{Time: 50 * time.Millisecond})
	if !strings.Contains(got, "time limit") || time.Since(begin) > 30*time.Second {
		t.Errorf("%s after %s", got, time.Since(begin))
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("client left"))
	p, err := hsl.Compile("test", `smtp_lookup_rcpt(["host" => "127.0.0.1"], "", "b@example.net"); echo "on";`, hsl.Options{Library: l.library})
	if err != nil {
		t.Fatal(err)
	}
	var cancelled *value.Cancelled
	if _, err := p.Run(ctx, hsl.Execution{}); !errors.As(err, &cancelled) {
		t.Errorf("the script ended with %v", err)
	}
}

// TestLookups asks for recipients and logins.
// TestLookupExamples runs the examples of the lookups against a server that
// knows everybody.
func TestLookupExamples(t *testing.T) {
	peer := newFar(t, sink.Options{Auth: true})
	l := newLab(t, nil)
	for b := range l.library.Builtins() {
		if !strings.HasPrefix(b.Name, "smtp_lookup_") {
			continue
		}
		call, want, found := strings.Cut(b.Example, " // ")
		if !found {
			t.Errorf("%s has the example %q", b.Name, b.Example)
		}
		call = regexp.MustCompile(`"port" => \d+`).ReplaceAllString(call, `"port" => PORT`)
		if got := l.run(t, peer, call, value.Limits{}); got != want {
			t.Errorf("%s: %s, want %s", b.Example, got, want)
		}
	}
}

func TestLookups(t *testing.T) {
	certificate, err := sink.SelfSigned("far.example")
	if err != nil {
		t.Fatal(err)
	}
	peer := newFar(t, sink.Options{Auth: true, TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}},
		"busy@example.org mail reply 450 4.3.2 busy", `full@* rcpt reply 452 4.2.2 full`)
	refuses := newFar(t, sink.Options{Auth: true}, `* auth reply 535 5.7.8 no`)
	defers := newFar(t, sink.Options{Auth: true}, `* auth reply 454 4.7.0 not now`)
	none := newFar(t, sink.Options{})
	const server = `["host" => "HOST", "port" => PORT]`
	for text, c := range map[string]struct {
		peer *far
		want string
	}{
		`smtp_lookup_rcpt(` + server + `, "a@example.org", "b@example.net")`:                                                                                                                                      {peer, "1"},
		`smtp_lookup_rcpt(` + server + `, "<>", ["localpart" => "b", "domain" => "example.net"])`:                                                                                                                 {peer, "1"},
		`smtp_lookup_rcpt(` + server + `, "a@example.org", "550@example.net")`:                                                                                                                                    {peer, "0"},
		`smtp_lookup_rcpt(` + server + `, "a@example.org", "full@example.net")`:                                                                                                                                   {peer, "-1"},
		`smtp_lookup_rcpt(` + server + `, "busy@example.org", "b@example.net")`:                                                                                                                                   {peer, "-1"},
		`smtp_lookup_rcpt(["host" => "127.0.0.1", "port" => 1], "a@example.org", "b@example.net")`:                                                                                                                {nil, "-1"},
		`smtp_lookup_rcpt(["port" => PORT], "a@example.org", "b@mail.example")`:                                                                                                                                   {peer, "1"},
		`json_encode(smtp_lookup_rcpt(` + server + `, "", "b@example.net", ["extended_result" => true]))`:                                                                                                         {peer, `{"error_code":250,"error_message":"recipient ok","on_rcptto":true,"tls":{"started":false}}`},
		`json_encode(smtp_lookup_rcpt(` + server + `, "", "full@example.net", ["extended_result" => true]))`:                                                                                                      {peer, `{"error_code":452,"error_message":"full","on_rcptto":true,"tls":{"started":false}}`},
		`json_encode(smtp_lookup_rcpt(` + server + `, "busy@example.org", "b@x.example", ["extended_result" => true]))`:                                                                                           {peer, `{"error_code":450,"error_message":"busy","on_rcptto":false,"tls":{"started":false}}`},
		`json_encode(smtp_lookup_rcpt(["host" => "127.0.0.1", "port" => 1], "", "b@x.example", ["extended_result" => true]))`:                                                                                     {nil, `{"error_message":"connect to 127.0.0.1:1: connection refused","on_rcptto":false}`},
		`smtp_lookup_rcpt(["host" => "HOST", "port" => PORT, "tls" => "require", "tls_capture_peer_cert" => true], "", "b@example.net", ["extended_result" => true])["tls"]["peercert"]["x509"]->subject()[0][1]`: {peer, "far.example"},
		`smtp_lookup_rcpt("out", "", "b@example.net")`:                                                                                                                                                            {peer, "1"},
		`smtp_lookup_auth(` + server + `, "joe", "pw")`:                                                                                                                                                           {peer, "1"},
		`smtp_lookup_auth(["host" => "HOST", "port" => PORT, "tls" => "require"], "joe", "pw")`:                                                                                                                   {peer, "1"},
		`smtp_lookup_auth("out", "joe", "pw")`:                                                                                                                                                                    {peer, "1"},
		`smtp_lookup_auth(` + server + `, "", "pw")`:                                                                                                                                                              {peer, "0"},
		`smtp_lookup_auth(` + server + `, "joe", "pw") . ""`:                                                                                                                                                      {refuses, "0"},
		`smtp_lookup_auth(` + server + `, "joe", "pw") . " "`:                                                                                                                                                     {defers, "-1 "},
		`smtp_lookup_auth(` + server + `, "joe", "pw") . "  "`:                                                                                                                                                    {none, "-1  "},
	} {
		way := &delivery.Transport{ID: "out", Servers: []string{peer.addr.Addr().String()}, Port: peer.addr.Port()}
		l := newLab(t, known{transport: way}, "mail.example. 300 IN A 127.0.0.1")
		if got := l.run(t, c.peer, "echo "+text+";", value.Limits{}); got != c.want {
			t.Errorf("%s is %s, want %s", text, got, c.want)
		}
	}
	for _, p := range []*far{peer, refuses, defers, none} {
		if len(p.took()) > 0 {
			t.Errorf("a look-up sent %q", p.took())
		}
	}
}
