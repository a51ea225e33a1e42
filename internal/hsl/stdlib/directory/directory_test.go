package directory_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"go.uber.org/goleak"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/directory"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a directory of three entries, in which joe has the password secret.
type server struct {
	listener net.Listener
	tls      *tls.Config
	mu       sync.Mutex
	open     []net.Conn
	wg       sync.WaitGroup
}

func newServer(t *testing.T) *server {
	h := httptest.NewUnstartedServer(nil)
	h.StartTLS() // for its certificate
	h.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{listener: l, tls: &tls.Config{Certificates: h.TLS.Certificates}}
	s.wg.Go(s.accept)
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for _, c := range s.open {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

func (s *server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.open = append(s.open, c)
		s.mu.Unlock()
		s.wg.Go(func() { s.serve(c); c.Close() })
	}
}

func (s *server) serve(c net.Conn) {
	for {
		p, err := ber.ReadPacket(c)
		if err != nil || len(p.Children) < 2 {
			return
		}
		id, request := p.Children[0].Value.(int64), p.Children[1]
		switch request.Tag {
		case ldap.ApplicationBindRequest:
			dn, password := request.Children[1].Data.String(), request.Children[2].Data.String()
			code := ldap.LDAPResultInvalidCredentials
			if password == "" || dn == "cn=joe" && password == "secret" {
				code = ldap.LDAPResultSuccess
			}
			reply(c, id, ldap.ApplicationBindResponse, code, "checked")
		case ldap.ApplicationExtendedRequest:
			reply(c, id, ldap.ApplicationExtendedResponse, ldap.LDAPResultSuccess, "")
			c = tls.Server(c, s.tls)
		case ldap.ApplicationSearchRequest:
			s.search(c, id, request)
		case ldap.ApplicationUnbindRequest:
			return
		}
	}
}

func (s *server) search(c net.Conn, id int64, request *ber.Packet) {
	base := request.Children[0].Data.String()
	switch base {
	case "dc=silent":
		return
	case "dc=missing":
		reply(c, id, ldap.ApplicationSearchResultDone, ldap.LDAPResultNoSuchObject, "no such thing")
		return
	}
	filter, _ := ldap.DecompileFilter(request.Children[6])
	for n, name := range []string{"ann", "joe", "zoe"} {
		if base == "dc=many" {
			for range 1000 {
				entry(c, id, "cn="+name+","+base, filter, strings.Repeat("x", 1000))
			}
		}
		if n == 1 {
			referral := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultReference, nil, "")
			referral.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "ldap://other", ""))
			send(c, id, referral)
		}
		entry(c, id, "cn="+name+","+base, filter, name+"@example.com")
	}
	reply(c, id, ldap.ApplicationSearchResultDone, ldap.LDAPResultSuccess, "")
}

func entry(c net.Conn, id int64, dn string, values ...string) {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, dn, ""))
	all := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	one := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	one.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "mail", ""))
	set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
	for _, v := range values {
		set.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, v, ""))
	}
	one.AppendChild(set)
	all.AppendChild(one)
	p.AppendChild(all)
	send(c, id, p)
}

func reply(c net.Conn, id int64, tag ber.Tag, code int, text string) {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, text, ""))
	send(c, id, p)
}

func send(c net.Conn, id int64, p *ber.Packet) {
	m := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	m.AppendChild(p)
	c.Write(m.Bytes())
}

// machine has o(), what source gives, and r(), what the last search gave. HOST in
// sources stands for the server.
func machine(t *testing.T, host, source string, limits value.Limits) func([]stdlibtest.Case) {
	m := stdlibtest.New(t, directory.Library(), value.Setup{Limits: limits})
	in := strings.NewReplacer("HOST", host)
	o, err := m.Eval(in.Replace(source))
	if err != nil {
		t.Fatal(err)
	}
	var r value.Value
	m.Functions = map[string]func([]value.Value) (value.Value, error){
		"o":    func([]value.Value) (value.Value, error) { return o, nil },
		"r":    func([]value.Value) (value.Value, error) { return r, nil },
		"keep": func(args []value.Value) (value.Value, error) { r = args[0]; return value.Boolean(r.IsObject()), nil },
		"is":   func(args []value.Value) (value.Value, error) { return value.Boolean(args[0].IsObject()), nil },
	}
	return func(cases []stdlibtest.Case) {
		t.Helper()
		for i := range cases {
			cases[i][0] = in.Replace(cases[i][0])
		}
		m.Check(t, cases)
	}
}

func TestSearch(t *testing.T) {
	s := newServer(t)
	machine(t, s.listener.Addr().String(), `LDAP("ldap://127.0.0.1:1 ldap://HOST")`, value.Limits{})([]stdlibtest.Case{
		{`is(o()->bind())`, `true`},
		{`is(o()->bind("cn=joe", "secret"))`, `true`},
		{`o()->errno()`, `0`},
		{`o()->bind("cn=joe", "wrong")`, `none`},
		{`o()->errno()`, `49`},
		{`o()->getoption("diagnostic_message")`, `"checked"`},
		{`o()->bind("cn=joe", "")`, `none`},
		{`o()->errno()`, `53`},
		{`keep(o()->search("dc=x", ["filter" => "(cn=a*)", "attributes" => ["mail"]]))`, `true`},
		{`r()->next()`, `["dn"=>"cn=ann,dc=x","mail"=>[0=>"(cn=a*)",1=>"ann@example.com"]]`},
		{`r()->next()`, `["dn"=>"cn=joe,dc=x","mail"=>[0=>"(cn=a*)",1=>"joe@example.com"]]`},
		{`r()->next()`, `["dn"=>"cn=zoe,dc=x","mail"=>[0=>"(cn=a*)",1=>"zoe@example.com"]]`},
		{`r()->next()`, `false`},
		{`r()->next()`, `false`},
		{`keep(o()->search("dc=missing"))`, `true`},
		{`r()->next()`, `none`},
		{`o()->errno()`, `32`},
		{`o()->getoption("diagnostic_message")`, `"no such thing"`},
		{`o()->search("dc=x", ["filter" => "(cn="])`, `none`},
		{`o()->errno()`, `-7`},
		{`o()->search("dc=x", ["scope" => "all"])`, `!search: option scope: want sub, one or base, got "all"`},
		{`keep(o()->search("dc=many"))`, `true`},
		{`is(o()->unbind())`, `true`},
		{`r()->next()`, `none`},
		{`o()->errno()`, `-1`},
		{`is(o()->bind("cn=joe", "secret"))`, `true`},
		{`r()->next()`, `none`},
	})
}

func TestOptions(t *testing.T) {
	machine(t, "", `LDAP("ldap://127.0.0.1:1")`, value.Limits{})([]stdlibtest.Case{
		{`o()->bind()`, `none`},
		{`o()->errno()`, `-1`},
		{`o()->getoption("network_timeout")`, `10`},
		{`is(o()->setoption("network_timeout", 5))`, `true`},
		{`o()->getoption("network_timeout")`, `5`},
		{`is(o()->setoption("tls_verify_peer", false))`, `true`},
		{`o()->getoption("tls_verify_peer")`, `false`},
		{`is(o()->setoption("protocol_version", 3))`, `true`},
		{`o()->setoption("protocol_version", 2)`, `none`},
		{`o()->errno()`, `-9`},
		{`o()->setoption("referrals", true)`, `none`},
		{`o()->setoption("nonsense", 1)`, `none`},
		{`o()->setoption("timeout", -1)`, `none`},
		{`o()->getoption("nonsense")`, `none`},
		{`o()->getpeerx509()`, `none`},
		{`is(o()->unbind())`, `true`},
		{`LDAP("http://x")`, `!LDAP: argument 1 (uri): want ldap://, ldaps:// or ldapi://, got "http://x"`},
		{`LDAP("")`, `!LDAP: argument 1 (uri)`},
		{`LDAP::err2string(0)`, `"Success"`},
		{`LDAP::err2string(49)`, `"Invalid Credentials"`},
		{`LDAP::err2string(-1)`, `"Can't contact LDAP server"`},
		{`LDAP::err2string(12345)`, `"Unknown error"`},
		{`LDAP::err2string(-65487)`, `"Unknown error"`},
		{`LDAP::filter_escape("a*(b)\\\x00")`, `''a\2a\28b\29\5c\00''`},
		{`LDAP::str2dn("CN=Joe\\, x,dc=example+l=y,dc=com")`, `[0=>[0=>"CN",1=>"Joe, x"],1=>[0=>"dc",1=>"example"],2=>[0=>"l",1=>"y"],3=>[0=>"dc",1=>"com"]]`},
		{`LDAP::str2dn("nonsense")`, `none`},
		{`LDAP::dn2str([["CN", "Joe, x"], ["dc", "com"]])`, `''CN=Joe\, x,dc=com''`},
		{`LDAP::dn2str(["CN"])`, `!dn2str: argument 1 (list): want a list of pairs of name and value, got an array`},
	})
}

func TestTLS(t *testing.T) {
	s := newServer(t)
	check := machine(t, s.listener.Addr().String(), `LDAP("ldap://HOST")->setoption("tls_verify_peer", false)`, value.Limits{})
	check([]stdlibtest.Case{
		{`is(o()->starttls())`, `true`},
		{`is(o()->bind("cn=joe", "secret"))`, `true`},
		{`o()->getpeerx509()->subject()`, `[0=>[0=>"O",1=>"Acme Co"]]`},
	})
	machine(t, s.listener.Addr().String(), `LDAP("ldap://HOST")`, value.Limits{})([]stdlibtest.Case{
		{`o()->starttls()`, `none`},
	})
	secure := &server{listener: tls.NewListener(listen(t), s.tls)}
	secure.wg.Go(secure.accept)
	defer func() { secure.listener.Close(); secure.wg.Wait() }()
	machine(t, secure.listener.Addr().String(), `LDAP("ldaps://HOST")->setoption("tls_verify_peer", false)`, value.Limits{})([]stdlibtest.Case{
		{`is(o()->bind("cn=joe", "secret"))`, `true`},
		{`is(o()->unbind())`, `true`},
		{`is(o()->setoption("tls_verify_peer", true))`, `true`},
		{`o()->bind()`, `none`},
	})
}

func listen(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestEnds: a silent server does not hold the script up.
func TestEnds(t *testing.T) {
	s := newServer(t)
	host := s.listener.Addr().String()
	machine(t, host, `LDAP("ldap://HOST")`, value.Limits{Time: 100 * time.Millisecond})([]stdlibtest.Case{
		{`o()->search("dc=silent")->next()`, `!script exceeded its time limit of 100ms`},
	})
	machine(t, host, `LDAP("ldap://HOST")->setoption("timeout", 0.05)`, value.Limits{})([]stdlibtest.Case{
		{`o()->search("dc=silent")->next()`, `none`},
		{`o()->errno()`, `-5`},
	})
	// One that says nothing at all.
	mute := listen(t)
	go func() {
		c, err := mute.Accept()
		if err == nil {
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	defer mute.Close()
	machine(t, mute.Addr().String(), `LDAP("ldap://HOST")`, value.Limits{Time: 100 * time.Millisecond})([]stdlibtest.Case{
		{`o()->bind()`, `!script exceeded its time limit of 100ms`},
	})
}

func TestLarge(t *testing.T) {
	l := listen(t)
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.Write([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 2, 1, 1}) // a message of two gigabytes
		io.Copy(io.Discard, c)
	}()
	machine(t, l.Addr().String(), `LDAP("ldap://HOST")`, value.Limits{})([]stdlibtest.Case{{`o()->bind()`, `none`}})
}
