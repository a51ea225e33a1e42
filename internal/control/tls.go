package control

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// ServerTLS makes the TLS settings of a TCP control socket from PEM texts. When
// there are client certificates, clients must present one of these or one that
// these have signed; when there are none, none is asked for.
func ServerTLS(certificate, key []byte, clients [][]byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("control: certificate: %w", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if len(clients) == 0 {
		return c, nil
	}
	c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	for i, pem := range clients {
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("control: client certificate %d: %w", i+1, errNoPEM)
		}
	}
	return c, nil
}

var errNoPEM = errors.New("no certificate in PEM form")
