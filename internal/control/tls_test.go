package control_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/posthaste-mta/posthaste/internal/control"
	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/control/controltest"
)

// credential makes a self-signed certificate in PEM form.
func credential(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})
}

// TestMutualTLS: over TCP only clients with a known certificate are served, and
// their name is in the audit.
func TestMutualTLS(t *testing.T) {
	serverCertificate, serverKey := credential(t, "control.test")
	known, knownKey := credential(t, "operator")
	stranger, strangerKey := credential(t, "stranger")
	settings, err := control.ServerTLS(serverCertificate, serverKey, [][]byte{known})
	if err != nil {
		t.Fatal(err)
	}
	var exposed atomic.Int32
	failed := make(chan error, 10)
	r := start(t, control.Options{
		Address: netip.MustParseAddrPort("127.0.0.1:0"), TLS: settings, Parts: controltest.Parts(few(5)),
		Events: control.Events{
			Exposed: func(net.Addr) { exposed.Add(1) },
			Failed:  func(err error) { failed <- err },
		},
	})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(serverCertificate)
	count := func(certificate, key []byte) error {
		c := &tls.Config{RootCAs: roots, ServerName: "control.test"}
		if certificate != nil {
			pair, err := tls.X509KeyPair(certificate, key)
			if err != nil {
				t.Fatal(err)
			}
			c.Certificates = []tls.Certificate{pair}
		}
		transport := &http.Transport{TLSClientConfig: c}
		defer transport.CloseIdleConnections()
		queue := pb.NewQueueServiceClient(&http.Client{Transport: transport}, "https://"+r.Addr().String())
		_, err := queue.Count(t.Context(), connect.NewRequest(&pb.QueueCountRequest{}))
		return err
	}
	if err := count(known, knownKey); err != nil {
		t.Errorf("with a known certificate: %v", err)
	}
	if err := count(stranger, strangerKey); err == nil {
		t.Error("a stranger is served")
	}
	if err := count(nil, nil); err == nil {
		t.Error("a client without certificate is served")
	}
	calls := r.called()
	if len(calls) != 1 || calls[0].Peer.Name != "CN=operator" || calls[0].Peer.UID != -1 {
		t.Errorf("calls: %+v", calls)
	}
	for range 2 {
		if err := <-failed; !strings.Contains(err.Error(), "certificate") {
			t.Errorf("reported: %v", err)
		}
	}
	if exposed.Load() != 0 {
		t.Error("reported as open to all")
	}
}

// TestExposed: TCP without client certificates works and is reported.
func TestExposed(t *testing.T) {
	certificate, key := credential(t, "control.test")
	secure, err := control.ServerTLS(certificate, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, settings := range []*tls.Config{nil, secure} {
		var exposed atomic.Int32
		r := start(t, control.Options{
			Address: netip.MustParseAddrPort("127.0.0.1:0"), TLS: settings, Parts: controltest.Parts(few(5)),
			Events: control.Events{Exposed: func(net.Addr) { exposed.Add(1) }},
		})
		if exposed.Load() != 1 {
			t.Errorf("%d reports, want 1", exposed.Load())
		}
		if settings != nil {
			continue
		}
		transport := &http.Transport{}
		queue := pb.NewQueueServiceClient(&http.Client{Transport: transport}, "http://"+r.Addr().String())
		if _, err := queue.Count(t.Context(), connect.NewRequest(&pb.QueueCountRequest{})); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
	}
}

func TestServerTLSErrors(t *testing.T) {
	certificate, key := credential(t, "a.test")
	other, _ := credential(t, "b.test")
	if _, err := control.ServerTLS(other, key, nil); err == nil {
		t.Error("a key of another certificate is taken")
	}
	if _, err := control.ServerTLS(certificate, key, [][]byte{[]byte("nothing")}); err == nil {
		t.Error("a client certificate that is none is taken")
	}
}
