package socket

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/certificate"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/handshake"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Identities are the certificates and keys that scripts name.
type Identities = certificate.Keyring

// tlsSocket is the state of a TLSSocket.
type tlsSocket struct {
	socket *value.Object // the Socket beneath

	mu    sync.Mutex // scripts may share it
	wire  *wire
	conn  *tls.Conn
	errno unix.Errno
}

// tlsClass returns TLSSocket for the identities of a configuration.
func tlsClass(k Identities) *value.Class {
	c := &value.Class{
		Name: "TLSSocket",
		Doc:  "TLS over a connected Socket, as its client. Methods that fail return none, and errno says why. Nothing is verified unless options say so.",
	}
	c.Constructor = declare.Function("TLSSocket(Socket socket, [array options]) TLSSocket",
		"Wraps a connected socket. The first recv or send does the handshake if the script does not. A mistake in the options throws.",
		`echo TLSSocket(Socket("AF_INET", "SOCK_STREAM"), ["tls_sni" => "example.com"])->errno(); // 0`,
		func(call *value.Call) (value.Value, error) { return openTLS(call, c, k) }, tlsOptions...)
	c.Methods = []*value.Builtin{
		declare.Method("handshake() TLSSocket or none", "Does the handshake.", shakeHands),
		declare.Method("recv(number length) string or none", "Returns what has come, at most length bytes; an empty string when the peer sends no more.", receiveTLS),
		declare.Method("send(string data) number or none", "Sends all of the data and returns its length.", sendTLS),
		declare.Method("shutdown() number or none", "Tells the peer that no more is sent. Returns 1 when that was done.", shutDownTLS),
		declare.Method("errno() number", "Returns the number of the last error; 0 if there was none.", errnoTLS),
		declare.Method("getpeerx509() X509 or none", "Returns the certificate of the peer, after the handshake.", peerCertificate),
		declare.Method("toSocket() Socket", "Returns the socket beneath.", func(c *value.Call) (value.Value, error) {
			return value.FromObject(c.This.Native.(*tlsSocket).socket), nil
		}),
	}
	declare.Examples(c, tlsExamples)
	return c
}

var tlsOptions = []value.Option{
	declare.Option("string tls_protocols", `Protocols, joined by commas; "!" leaves one out. The default is `+handshake.DefaultProtocols+"."),
	declare.Option("string tls_ciphers", "Cipher suites by their names of OpenSSL, joined by colons."),
	declare.Option("array tls_verify_name", "Names of which the certificate must have one."),
	declare.Option("boolean tls_verify_ca = false", "The certificate must lead to an authority."),
	declare.Option("boolean tls_default_ca = false", "The authorities are those of the system."),
	declare.Option("string tls_sni", "The name that the peer is asked for."),
	declare.Option("string or array tls_client_cert", "The certificate to show: its name in the configuration, or an array of x509, privatekey and chain."),
}

func openTLS(c *value.Call, class *value.Class, k Identities) (value.Value, error) {
	o := c.Options(1)
	terms := handshake.Terms{
		Protocols: o.Str("tls_protocols"), Ciphers: o.Str("tls_ciphers"), ServerName: o.Str("tls_sni"),
		VerifyChain: o.Bool("tls_verify_ca"), DefaultCA: o.Bool("tls_default_ca"),
	}
	for name := range o.Array("tls_verify_name").Values() {
		terms.VerifyNames = append(terms.VerifyNames, name.Text())
	}
	if client := o.Get("tls_client_cert"); client.IsSet() {
		who, ok := certificate.IdentityOf(client, true, k)
		if !ok {
			return value.None, declare.UnwantedOption(c, "tls_client_cert", "a certificate with its key", client)
		}
		terms.Client = who.TLS()
	}
	config, err := terms.Config()
	if err != nil {
		return value.None, declare.UnwantedOption(c, "tls_protocols", "protocols", o.Get("tls_protocols"))
	}
	s := &tlsSocket{socket: c.Args[0].Object()}
	s.wire = &wire{socket: s.socket.Native.(*Socket)}
	s.conn = tls.Client(s.wire, config)
	return value.FromObject(class.New(s)), nil
}

// wire is the connection that TLS works on: a socket, on behalf of the thread
// that is in a method at the moment.
type wire struct {
	socket *Socket
	thread *value.Thread
}

func (w *wire) Read(b []byte) (int, error) {
	w.socket.mu.Lock()
	defer w.socket.mu.Unlock()
	data, err := w.socket.receiveOnce(w.thread, len(b), 0)
	if err == nil && len(data) == 0 && len(b) > 0 {
		err = io.EOF
	}
	return copy(b, data), err
}

func (w *wire) Write(b []byte) (int, error) {
	w.socket.mu.Lock()
	defer w.socket.mu.Unlock()
	if err := w.socket.send(w.thread, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close leaves the socket open: it belongs to the script.
func (w *wire) Close() error { return nil }

// Deadlines are those of the socket, which it sets itself.
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

func (w *wire) LocalAddr() net.Addr  { return &net.TCPAddr{} }
func (w *wire) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// do calls f with the connection on behalf of the thread, and keeps the number
// of its error; ok is false when there was one. err ends the script.
func (s *tlsSocket) do(c *value.Call, f func() error) (ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wire.thread = c.Thread
	defer func() { s.wire.thread = nil }()
	err = f()
	if value.Uncatchable(err) {
		return false, err
	}
	if s.errno = 0; err == nil {
		return true, nil
	}
	if !errors.As(err, &s.errno) {
		s.errno = unix.EPROTO
	}
	return false, nil
}

func shakeHands(c *value.Call) (value.Value, error) {
	s := c.This.Native.(*tlsSocket)
	if ok, err := s.do(c, s.conn.Handshake); !ok {
		return value.None, err
	}
	return value.FromObject(c.This), nil
}

func receiveTLS(c *value.Call) (value.Value, error) {
	length := c.Int(0)
	if length < 0 {
		return value.None, declare.Unwanted(c, 0, "a number that is not below 0")
	}
	s := c.This.Native.(*tlsSocket)
	buffer := make([]byte, min(length, pieceSize))
	n := 0
	ok, err := s.do(c, func() (err error) {
		n, err = s.conn.Read(buffer)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return err
	})
	if !ok {
		return value.None, err
	}
	return declare.Bytes(c, buffer[:n])
}

func sendTLS(c *value.Call) (value.Value, error) {
	s := c.This.Native.(*tlsSocket)
	n := 0
	ok, err := s.do(c, func() (err error) {
		n, err = io.WriteString(s.conn, c.Str(0))
		return err
	})
	if !ok {
		return value.None, err
	}
	return value.Int(n), nil
}

func shutDownTLS(c *value.Call) (value.Value, error) {
	s := c.This.Native.(*tlsSocket)
	if ok, err := s.do(c, s.conn.CloseWrite); !ok {
		return value.None, err
	}
	return value.Int(1), nil
}

func errnoTLS(c *value.Call) (value.Value, error) {
	s := c.This.Native.(*tlsSocket)
	s.mu.Lock()
	defer s.mu.Unlock()
	return value.Int(int(s.errno)), nil
}

func peerCertificate(c *value.Call) (value.Value, error) {
	s := c.This.Native.(*tlsSocket)
	s.mu.Lock()
	defer s.mu.Unlock()
	peers := s.conn.ConnectionState().PeerCertificates
	if len(peers) == 0 {
		return value.None, nil
	}
	return certificate.New(peers[0]), nil
}
