package web

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/certificate"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/handshake"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// newClient returns a client for one call, by its options.
func newClient(c *value.Call, o Options) (*http.Client, error) {
	dial, err := dialer(c, o)
	if err != nil {
		return nil, err
	}
	config, err := tlsConfig(c, o)
	if err != nil {
		return nil, err
	}
	proxy, err := proxyOf(c)
	if err != nil {
		return nil, err
	}
	given := c.Options(1)
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dial, TLSClientConfig: config, Proxy: proxy,
			TLSHandshakeTimeout: seconds(given.Num("connect_timeout")),
			DisableKeepAlives:   true, DisableCompression: true,
		},
		CheckRedirect: redirect(given.Int("redirects")),
	}, nil
}

// option returns an option under its name or the old one.
func option(o value.Options, name string) bool {
	if old := "ssl" + strings.TrimPrefix(name, "tls"); !o.Has(name) && o.Has(old) {
		return o.Bool(old)
	}
	return o.Bool(name)
}

var errRedirects = errors.New("http: too many redirections")

func redirect(most int) func(*http.Request, []*http.Request) error {
	return func(_ *http.Request, via []*http.Request) error {
		switch {
		case most == 0:
			return http.ErrUseLastResponse
		case most > 0 && len(via) > most, len(via) > endless:
			return errRedirects
		}
		return nil
	}
}

// endless is where servers that redirect in a circle are noticed.
const endless = 100

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

func dialer(c *value.Call, o Options) (dialFunc, error) {
	given := c.Options(1)
	d := &net.Dialer{Timeout: seconds(given.Num("connect_timeout"))}
	source, err := sourceOf(c, o)
	if err != nil {
		return nil, err
	}
	if source.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	}
	if path := given.Str("unix_socket_path"); path != "" {
		return func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: d.Timeout}).DialContext(ctx, "unix", path)
		}, nil
	}
	return d.DialContext, nil
}

// sourceOf returns the address to connect from, or none.
func sourceOf(c *value.Call, o Options) (netip.Addr, error) {
	given := c.Options(1)
	if id := given.Str("sourceipid"); id != "" {
		if o.Source != nil {
			if a, ok := o.Source(id); ok {
				return a, nil
			}
		}
		return netip.Addr{}, declare.UnwantedOption(c, "sourceipid", "the name of an address", given.Get("sourceipid"))
	}
	text := given.Str("sourceip")
	if text == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return a, declare.UnwantedOption(c, "sourceip", "an address", given.Get("sourceip"))
	}
	return a, nil
}

func tlsConfig(c *value.Call, o Options) (*tls.Config, error) {
	given := c.Options(1)
	terms := handshake.Terms{
		Protocols: given.Str("tls_protocols"), VerifyChain: option(given, "tls_verify_peer"), DefaultCA: option(given, "tls_default_ca"),
	}
	if client := given.Get("tls_client_cert"); client.IsSet() {
		who, ok := certificate.IdentityOf(client, true, o.Identities)
		if !ok {
			return nil, declare.UnwantedOption(c, "tls_client_cert", "a certificate with its key", client)
		}
		terms.Client = who.TLS()
	}
	config, err := terms.Config()
	if err != nil {
		return nil, declare.UnwantedOption(c, "tls_protocols", "protocols", given.Get("tls_protocols"))
	}
	if option(given, "tls_verify_host") {
		config.VerifyConnection = verifyHost(terms, c.Str(0))
	}
	return config, nil
}

// verifyHost checks the name that was asked for. The name of an address is not
// sent, so that it is taken from the URL.
func verifyHost(terms handshake.Terms, address string) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		host := s.ServerName
		if u, err := url.Parse(address); host == "" && err == nil {
			host = u.Hostname()
		}
		with := terms
		with.VerifyNames = []string{host}
		return with.Verify(s)
	}
}

func proxyOf(c *value.Call) (func(*http.Request) (*url.URL, error), error) {
	given := c.Options(1)
	if !given.Has("proxy") {
		return http.ProxyFromEnvironment, nil
	}
	text := given.Str("proxy")
	if text == "" {
		return nil, nil
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, declare.UnwantedOption(c, "proxy", "a proxy", given.Get("proxy"))
	}
	return http.ProxyURL(u), nil
}
