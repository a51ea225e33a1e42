package script

import (
	"crypto/tls"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// ways turns options of scripts into settings of a transport: those of Try, and
// those of the servers that scripts send to (spec hsl-stdlib.md 13).
type ways struct{ resources Resources } // nil: nothing is configured

// wayOptions are those that all of them have.
var wayOptions = []value.Option{
	{Name: "port", Type: value.NumberType, Doc: "port of the host"},
	{Name: "helo", Type: value.StringType, Doc: "name in EHLO"},
	{Name: "nonlocal_source", Type: value.BooleanType, Default: value.False, Doc: "source addresses need not be addresses of this host"},
	{Name: "proxyprotocol", Type: value.ArrayType, Doc: "server, port and version: go through this proxy, which has the source addresses"},
	{Name: "saslusername", Type: value.StringType, Doc: "log in as"},
	{Name: "saslpassword", Type: value.StringType, Doc: "with this password"},
	{Name: "tls", Type: value.StringType, Doc: "mode of TLS"},
	{Name: "tls_sni", Type: value.StringType | value.BooleanType, Doc: "name to ask for; true is the host's"},
	{Name: "tls_protocols", Type: value.StringType, Doc: "versions of TLS, excluded with !"},
	{Name: "tls_ciphers", Type: value.StringType, Doc: "cipher suites of TLS 1.2"},
	{Name: "tls_verify_host", Type: value.BooleanType, Doc: "the certificate must have the host's name"},
	{Name: "tls_verify_name", Type: value.ArrayType, Doc: "or one of these"},
	{Name: "tls_default_ca", Type: value.BooleanType, Doc: "trust the system's authorities"},
	{Name: "tls_client_cert", Type: value.StringType, Doc: "id of the certificate to present"},
	{Name: "xclient", Type: value.ArrayType, Doc: "XCLIENT attributes"},
	{Name: "protocol", Type: value.StringType, Doc: "smtp or lmtp"},
	{Name: "mx_include", Type: value.ArrayType, Doc: "patterns of MX hosts to use"},
	{Name: "mx_exclude", Type: value.ArrayType, Doc: "patterns of MX hosts to leave out"},
	{Name: "timeout", Type: value.ArrayType, Doc: "SMTP state => seconds"},
	{Name: "connect_timeout", Type: value.NumberType, Doc: "seconds to connect"},
}

// apply changes t as the options say that were given, of those that are declared.
// It reports whether there were any.
func (w ways) apply(t *delivery.Transport, declared []value.Option, o value.Options) (changed bool, err error) {
	for _, set := range waySetters {
		known := slices.ContainsFunc(declared, func(d value.Option) bool { return d.Name == set.option })
		if !known || !o.Has(set.option) {
			continue
		}
		changed = true
		if err := set.apply(w, t, o); err != nil {
			return false, value.Errorf("%s: %v", set.option, err)
		}
	}
	return changed, nil
}

// configured returns the source address of that id.
func (w ways) configured(id string) (delivery.Source, bool) {
	if w.resources == nil {
		return delivery.Source{}, false
	}
	return w.resources.Source(id)
}

// certificate returns the certificate of that id.
func (w ways) certificate(id string) (*tls.Certificate, error) {
	if w.resources == nil {
		return nil, value.Errorf("no certificates are configured here")
	}
	return w.resources.Certificate(id)
}

// waySetters apply one option each to a copy of the transport's settings.
var waySetters = []struct {
	option string
	apply  func(ways, *delivery.Transport, value.Options) error
}{
	{"server", func(_ ways, t *delivery.Transport, o value.Options) error { return setHost(t, o.Str("server")) }},
	{"host", func(_ ways, t *delivery.Transport, o value.Options) error { return setHost(t, o.Str("host")) }},
	{"port", func(_ ways, t *delivery.Transport, o value.Options) error {
		n := o.Int("port")
		if n < 1 || n > 65535 {
			return value.Errorf("%d is no port", n)
		}
		t.Port = uint16(n)
		return nil
	}},
	{"helo", func(_ ways, t *delivery.Transport, o value.Options) error {
		t.Helo = o.Str("helo")
		t.Sources = slices.Clone(t.Sources)
		for i := range t.Sources {
			t.Sources[i].Hostname = ""
		}
		return nil
	}},
	{"nonlocal_source", func(_ ways, t *delivery.Transport, o value.Options) error {
		t.Sources = slices.Clone(t.Sources)
		for i := range t.Sources {
			t.Sources[i].NonLocal = o.Bool("nonlocal_source")
		}
		return nil
	}},
	{"sourceip", ways.setSources},
	{"sourceipid", func(w ways, t *delivery.Transport, o value.Options) error {
		s, ok := w.configured(o.Str("sourceipid"))
		if !ok {
			return value.Errorf("no address %q is configured", o.Str("sourceipid"))
		}
		if o.Has("helo") {
			s.Hostname = ""
		}
		s.NonLocal = s.NonLocal || o.Bool("nonlocal_source")
		t.Sources = []delivery.Source{s}
		return nil
	}},
	{"proxyprotocol", setProxy},
	{"sourceip_random", func(_ ways, t *delivery.Transport, o value.Options) error {
		t.Ordered = !o.Bool("sourceip_random")
		return nil
	}},
	{"saslusername", func(_ ways, t *delivery.Transport, o value.Options) error {
		t.Auth.Username = o.Str("saslusername")
		return nil
	}},
	{"saslpassword", func(_ ways, t *delivery.Transport, o value.Options) error {
		t.Auth.Password = o.Str("saslpassword")
		return nil
	}},
	{"tls", func(_ ways, t *delivery.Transport, o value.Options) (err error) {
		t.TLS.Mode, err = delivery.ParseTLSMode(o.Str("tls"))
		return err
	}},
	{"tls_sni", func(_ ways, t *delivery.Transport, o value.Options) error {
		v := o.Get("tls_sni")
		t.TLS.SNIHost, t.TLS.SNIName = v.Bool(), ""
		if v.IsString() {
			t.TLS.SNIName = v.Str()
		}
		return nil
	}},
	{"tls_protocols", func(_ ways, t *delivery.Transport, o value.Options) (err error) {
		t.TLS.MinVersion, t.TLS.MaxVersion, err = delivery.ParseProtocols(o.Str("tls_protocols"))
		return err
	}},
	{"tls_ciphers", func(_ ways, t *delivery.Transport, o value.Options) (err error) {
		t.TLS.Ciphers, err = delivery.ParseCiphers(o.Str("tls_ciphers"))
		return err
	}},
	{"tls_verify_host", func(_ ways, t *delivery.Transport, o value.Options) error {
		t.TLS.VerifyHost = o.Bool("tls_verify_host")
		return nil
	}},
	{"tls_verify_name", func(_ ways, t *delivery.Transport, o value.Options) error {
		t.TLS.VerifyNames = texts(o.Array("tls_verify_name"))
		return nil
	}},
	{"tls_default_ca", func(_ ways, t *delivery.Transport, o value.Options) error {
		t.TLS.DefaultCA = o.Bool("tls_default_ca")
		return nil
	}},
	{"tls_client_cert", func(w ways, t *delivery.Transport, o value.Options) (err error) {
		t.TLS.Certificate, err = w.certificate(o.Str("tls_client_cert"))
		return err
	}},
	{"xclient", func(_ ways, t *delivery.Transport, o value.Options) error {
		t.XClient = map[string]string{}
		for k, v := range stringMap(o.Array("xclient")) {
			t.XClient[strings.ToUpper(k)] = v
		}
		return nil
	}},
	{"protocol", func(_ ways, t *delivery.Transport, o value.Options) error {
		switch p := o.Str("protocol"); p {
		case "smtp":
			t.Protocol = delivery.SMTP
		case "lmtp":
			t.Protocol = delivery.LMTP
		default:
			return value.Errorf("%q is neither smtp nor lmtp", p)
		}
		return nil
	}},
	{"mx_include", func(_ ways, t *delivery.Transport, o value.Options) error {
		t.MXInclude = texts(o.Array("mx_include"))
		return nil
	}},
	{"mx_exclude", func(_ ways, t *delivery.Transport, o value.Options) error {
		t.MXExclude = texts(o.Array("mx_exclude"))
		return nil
	}},
	{"timeout", setTimeouts},
	{"connect_timeout", func(_ ways, t *delivery.Transport, o value.Options) error {
		t.ConnectTimeout = seconds(o.Num("connect_timeout"))
		return nil
	}},
	{"pooling", setPooling},
}

func setHost(t *delivery.Transport, host string) error {
	if host == "" {
		return value.Errorf("it is empty")
	}
	t.Servers = []string{host}
	return nil
}

// setSources reads the list of addresses to leave from.
func (w ways) setSources(t *delivery.Transport, o value.Options) error {
	t.Sources = nil
	for _, v := range oneOrMany(o.Get("sourceip")) {
		s, err := w.source(v, o.Has("helo"))
		if err != nil {
			return err
		}
		s.NonLocal = s.NonLocal || o.Bool("nonlocal_source")
		t.Sources = append(t.Sources, s)
	}
	return nil
}

// oneOrMany returns the elements of a list, or what is given in its place.
func oneOrMany(v value.Value) []value.Value {
	if v.IsArray() {
		return slices.Collect(v.Array().Values())
	}
	return []value.Value{v}
}

// source reads one of them. With helo the configured name of the address does
// not hold, only one that is given with it.
func (w ways) source(v value.Value, helo bool) (delivery.Source, error) {
	id, literal, own := v.Text(), "", ""
	if v.IsArray() {
		a := v.Array()
		get := func(key string) string { one, _ := a.GetString(key); return one.Text() }
		id, literal, own = get("id"), get("address"), get("helo")
	}
	s, known := w.configured(id)
	if !known {
		if literal == "" {
			literal = id
		}
		ip, err := netip.ParseAddr(literal)
		if err != nil {
			return s, value.Errorf("%q is neither a configured id nor an IP address", literal)
		}
		s = delivery.Source{Addr: ip}
	}
	if own != "" || helo {
		s.Hostname = own
	}
	return s, nil
}

// setProxy reads the proxy to go through, instead of any that is configured for
// the transport or its addresses.
func setProxy(_ ways, t *delivery.Transport, o value.Options) error {
	p, err := proxyOf(o.Array("proxyprotocol"))
	if err != nil {
		return err
	}
	t.Proxy = p
	t.Sources = slices.Clone(t.Sources)
	for i := range t.Sources {
		t.Sources[i].Proxy = nil
	}
	return nil
}

func proxyOf(a *value.Array) (*delivery.Proxy, error) {
	server, _ := a.GetString("server")
	port, _ := a.GetString("port")
	version, given := a.GetString("version")
	p := &delivery.Proxy{Server: server.Text(), Port: uint16(port.ToNumber()), Version: 1}
	if given {
		p.Version = int(version.ToNumber())
	}
	switch n := port.ToNumber(); {
	case !server.IsString() || p.Server == "":
		return nil, value.Errorf("it needs a server")
	case n < 1 || n > 65535:
		return nil, value.Errorf("it needs a port from 1 to 65535")
	case p.Version != 1 && p.Version != 2:
		return nil, value.Errorf("its version is 1 or 2")
	}
	return p, nil
}

func setTimeouts(_ ways, t *delivery.Transport, o value.Options) error {
	t.Timeouts = maps.Clone(t.Timeouts)
	if t.Timeouts == nil {
		t.Timeouts = map[delivery.Stage]time.Duration{}
	}
	for k, v := range o.Array("timeout").All() {
		stage, err := delivery.ParseStage(k.Text())
		if err != nil {
			return err
		}
		t.Timeouts[stage] = seconds(v.ToNumber())
	}
	return nil
}

func setPooling(_ ways, t *delivery.Transport, o value.Options) error {
	a := o.Array("pooling")
	if v, ok := a.GetString("enabled"); ok {
		t.Pooling.Enabled = v.Bool()
	}
	if v, ok := a.GetString("timeout"); ok {
		t.Pooling.Timeout = seconds(v.ToNumber())
	}
	if v, ok := a.GetString("transactions"); ok {
		t.Pooling.Transactions = int(v.ToNumber())
	}
	if v, ok := a.GetString("evictable"); ok {
		t.Pooling.Fixed = !v.Bool()
	}
	return nil
}
