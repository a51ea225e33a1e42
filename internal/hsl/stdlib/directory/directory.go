// Package directory is the module extras://ldap: the class LDAP, which asks
// directories.
package directory

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/certificate"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/handshake"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// largestAnswer bounds one message of a server, which the library would take at
// its word up to two gigabytes.
const largestAnswer = 16 << 20

func init() { ber.MaxPacketLengthBytes = largestAnswer }

// Library returns the module.
func Library() *value.Library {
	return value.NewLibrary(nil, value.Declarations{Classes: []*value.Class{ldapClass, resultClass}})
}

var ldapClass = &value.Class{
	Name: "LDAP",
	Doc: "A connection to a directory. It connects when something is asked. Methods that fail return none, and errno says why. " +
		"It is closed at the end of the script at the latest.",
}

func init() {
	c := ldapClass
	c.Constructor = declare.Function("LDAP(string uri) LDAP",
		"Makes a connection to ldap://, ldaps:// or ldapi:// and a host. Of several, parted by spaces, the first is taken that answers. A malformed URI throws.",
		`echo LDAP::filter_escape("a*b"); // a\2ab`, open)
	c.Methods = []*value.Builtin{
		declare.Method("setoption(string name, any value) LDAP or none",
			"Sets protocol_version (3), referrals (false), network_timeout and timeout (seconds), timelimit (seconds for the server; 0 for none), "+
				"tls_verify_peer (true) or tls_default_ca (false). Returns none for others, and for values that are not possible.", setOption),
		declare.Method("getoption(string name) any", "Returns an option, or diagnostic_message: what the server said to the last request. Returns none for others.", getOption),
		declare.Method("starttls() LDAP or none", "Goes on with TLS.", startTLS),
		declare.Method("bind([string dn], [string cred]) LDAP or none",
			"Tells who asks, or that it is nobody. An empty password is refused: servers take it for nobody, and a script would take that for success.", bind),
		declare.Method("search(string basedn, [array options]) LDAPResult or none", "Looks for entries.", search,
			declare.Option(`string scope = "sub"`, "Where to look: sub (below the base and there), one (one level below) or base (only there)."),
			declare.Option(`string filter = "(objectclass=*)"`, "What entries must be like."),
			declare.Option("array attributes", "The attributes to return; all unless given.")),
		declare.Method("unbind() LDAP or none", "Closes the connection.", unbind),
		declare.Method("errno() number", "Returns the number of the last error; 0 if there was none.", errno),
		declare.Method("getpeerx509() X509 or none", "Returns the certificate of the server.", peer),
	}
	c.Statics = []*value.Builtin{
		declare.Method("err2string(number errno) string", "Returns the text of an error.", errorText),
		declare.Method("filter_escape(string value) string", "Returns a value as it stands in a filter.",
			func(c *value.Call) (value.Value, error) { return declare.Text(c, ldap.EscapeFilter(c.Str(0))) }),
		declare.Method("str2dn(string str) array or none", "Returns the parts of a name as a list of pairs of name and value, or none if it is malformed.", parseDN),
		declare.Method("dn2str(array list) string", "Returns the name that a list of pairs of name and value makes.", formatDN),
	}
	declare.Examples(c, ldapExamples)
}

// connection is the state of an LDAP object. Scripts may share it.
type connection struct {
	uris []*url.URL

	mu         sync.Mutex
	options    map[string]value.Value
	net        net.Conn // below conn
	conn       *ldap.Conn
	host       string // that answered
	errno      int
	diagnostic string
}

func open(c *value.Call) (value.Value, error) {
	k := &connection{options: map[string]value.Value{
		"protocol_version": value.Int(3), "referrals": value.False, "network_timeout": value.Int(10), "timeout": value.Int(60),
		"timelimit": value.Int(0), "tls_verify_peer": value.True, "tls_default_ca": value.False,
	}}
	for text := range strings.FieldsSeq(c.Str(0)) {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "ldap" && u.Scheme != "ldaps" && u.Scheme != "ldapi" {
			return value.None, declare.Unwanted(c, 0, "ldap://, ldaps:// or ldapi://")
		}
		k.uris = append(k.uris, u)
	}
	if k.uris == nil {
		return value.None, declare.Unwanted(c, 0, "ldap://, ldaps:// or ldapi://")
	}
	c.Own(k)
	return value.FromObject(ldapClass.New(k)), nil
}

// Close implements io.Closer, for the thread that owns the connection.
func (k *connection) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.closeLocked()
}

func (k *connection) closeLocked() error {
	if k.conn == nil {
		return nil
	}
	err := k.conn.Close()
	k.conn, k.net = nil, nil
	return err
}

// do calls f with an open connection, and returns whether that went well. The
// error is the end of the script, which also ends f.
func (k *connection) do(c *value.Call, f func() error) (ok bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn == nil {
		err = k.connect(c.Context())
	}
	return k.runLocked(c, err, f)
}

// runLocked calls f unless there is an error already.
func (k *connection) runLocked(c *value.Call, err error, f func() error) (ok bool, _ error) {
	ctx := c.Context()
	if wire := k.net; err == nil {
		stop := context.AfterFunc(ctx, func() { wire.Close() })
		err = f()
		stop()
	}
	if err != nil && ctx.Err() != nil {
		return false, c.Interrupted(err)
	}
	k.keep(err)
	return err == nil, nil
}

// connect tries the hosts in turn.
func (k *connection) connect(ctx context.Context) (err error) {
	d := &net.Dialer{Timeout: k.seconds("network_timeout")}
	for _, u := range k.uris {
		network, address := "tcp", u.Host
		switch port := u.Port(); {
		case u.Scheme == "ldapi":
			network, address = "unix", socketPath(u)
		case port == "" && u.Scheme == "ldaps":
			address = net.JoinHostPort(u.Hostname(), ldap.DefaultLdapsPort)
		case port == "":
			address = net.JoinHostPort(u.Hostname(), ldap.DefaultLdapPort)
		}
		var wire net.Conn
		if wire, err = d.DialContext(ctx, network, address); err != nil {
			continue
		}
		if err = k.begin(ctx, u, wire); err == nil {
			return nil
		}
		wire.Close()
	}
	return ldap.NewError(ldap.ErrorNetwork, err)
}

// socketPath is the host of an ldapi URI, in which slashes are percent signs.
func socketPath(u *url.URL) string {
	if path, err := url.PathUnescape(u.Host); err == nil && path != "" {
		return path
	}
	return u.Path
}

// seconds returns a duration that is an option.
func (k *connection) seconds(name string) time.Duration {
	return time.Duration(max(min(k.options[name].ToNumber(), 1e6), 0) * float64(time.Second))
}

// terms are what the options say of TLS.
func (k *connection) terms(host string) handshake.Terms {
	t := handshake.Terms{ServerName: host, DefaultCA: k.options["tls_default_ca"].Truth()}
	if k.options["tls_verify_peer"].Truth() {
		t.VerifyChain, t.VerifyNames = true, []string{host}
	}
	return t
}

// keep remembers how a request ended.
func (k *connection) keep(err error) {
	k.errno, k.diagnostic = errorNumber(err), ""
	var e *ldap.Error
	if errors.As(err, &e) && e.Err != nil {
		k.diagnostic = e.Err.Error()
	}
}

// done returns the object of a method, or none if it failed.
func done(c *value.Call, ok bool, err error) (value.Value, error) {
	if !ok || err != nil {
		return value.None, err
	}
	return value.FromObject(c.This), nil
}

func bind(c *value.Call) (value.Value, error) {
	k := c.This.Native.(*connection)
	ok, err := k.do(c, func() error {
		switch dn, password := c.Str(0), c.Str(1); {
		case password != "":
			return k.conn.Bind(dn, password)
		case c.Has(1) && dn != "":
			return ldap.NewError(ldap.LDAPResultUnwillingToPerform, errors.New("the password is empty"))
		default:
			return k.conn.UnauthenticatedBind(dn)
		}
	})
	return done(c, ok, err)
}

func unbind(c *value.Call) (value.Value, error) {
	k := c.This.Native.(*connection)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keep(k.closeLocked())
	return done(c, k.errno == 0, nil)
}

func errno(c *value.Call) (value.Value, error) {
	k := c.This.Native.(*connection)
	k.mu.Lock()
	defer k.mu.Unlock()
	return value.Int(k.errno), nil
}

func peer(c *value.Call) (value.Value, error) {
	k := c.This.Native.(*connection)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn == nil {
		return value.None, nil
	}
	if state, ok := k.conn.TLSConnectionState(); ok && len(state.PeerCertificates) > 0 {
		return certificate.New(state.PeerCertificates[0]), nil
	}
	return value.None, nil
}
