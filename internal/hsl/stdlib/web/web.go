// Package web holds the builtin http, which fetches from and posts to web
// servers.
//
// Each call has a connection of its own, since its options say how to connect:
// from which address, over which proxy, with which certificate. What comes back
// is charged to the script as it comes, and everything ends with the script.
package web

import (
	"net/netip"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/certificate"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/handshake"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Options are what the builtin needs of the program around it.
type Options struct {
	// Source returns the source address of the configuration with that name; nil
	// knows none.
	Source func(id string) (netip.Addr, bool)
	// Identities are the client certificates that scripts name; it may be nil.
	Identities certificate.Keyring
}

// Builtins returns the functions of the theme.
func Builtins(o Options) []*value.Builtin {
	return []*value.Builtin{
		declare.Function("http(string url, [array options], [array get], [array or string or function post]) string or array or none",
			"Sends a request and returns the body of the response, or none unless its status is one of success (2xx). "+
				"The values of get stand in the URL in place of $1, $2 and so on. The body to post is a string, or an array of fields of a form, "+
				"of which those that are arrays of data, type and filename make it a form of several parts, or a function that returns the next piece, "+
				"at most as many bytes as it is told, and an empty string at the end. "+
				"HTTPS wants a certificate of an authority: those of the system with tls_default_ca, or none is wanted with tls_verify_peer set to false.",
			`echo http("http://127.0.0.1:1/") ?? "no answer"; // no answer`,
			func(c *value.Call) (value.Value, error) { return call(c, o) }, options...),
	}
}

var options = []value.Option{
	declare.Option("boolean extended_result = false", "Return an array of status and content for any response, and none only if there is none."),
	declare.Option("boolean response_headers = false", "The content begins with the header, whatever the status."),
	declare.Option("number connect_timeout = 10", "Seconds for connecting."),
	declare.Option("number timeout", "Seconds from then on; none has no end."),
	declare.Option("number max_file_size", "The greatest body in bytes; a larger one gives none."),
	declare.Option("string sourceip", "The address to connect from."),
	declare.Option("string sourceipid", "The name of that address in the configuration."),
	declare.Option("string method", "The method: GET, or POST when there is something to post, unless it is given."),
	declare.Option("array headers", `A list of "Name: value". An empty value takes a header away.`),
	declare.Option("number redirects = 0", "How many redirections to follow; -1 for all."),
	declare.Option("boolean tls_verify_peer = true", "The certificate must lead to an authority."),
	declare.Option("boolean tls_verify_host = false", "The certificate must have the name of the host."),
	declare.Option("boolean tls_default_ca = false", "The authorities are those of the system."),
	declare.Option("string or array tls_client_cert", "The certificate to show: its name in the configuration, or an array of x509, privatekey and chain."),
	declare.Option("string tls_protocols", `Protocols, joined by commas; "!" leaves one out. The default is `+handshake.DefaultProtocols+"."),
	declare.Option("string proxy", "The URL of a proxy; empty for none. The default is that of the environment."),
	declare.Option("string unix_socket_path", "The socket of the host to connect to."),
	declare.Option("boolean ssl_verify_peer", "The old name of tls_verify_peer."),
	declare.Option("boolean ssl_verify_host", "The old name of tls_verify_host."),
	declare.Option("boolean ssl_default_ca", "The old name of tls_default_ca."),
}
