// Package pki joins private keys and certificates by id and serves them to
// whoever speaks TLS. Keys mostly stand in the startup file and certificates in
// the running one, so that a renewed certificate with the same key needs only a
// reload (spec config.md 1.2).
package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// Entry is what a configuration file has of one id. Either source may be zero.
type Entry struct {
	ID          string
	PrivateKey  config.Source
	Certificate config.Source
}

// Key is a private key that was read while the process could: as root.
type Key struct {
	id   string
	from string // where it was read, for messages
	pem  []byte
}

// ReadKeys reads the private keys of entries that have one.
func ReadKeys(entries []Entry) ([]Key, error) {
	var keys []Key
	var errs []error
	for _, e := range entries {
		if e.PrivateKey.IsZero() {
			continue
		}
		data, err := e.PrivateKey.Read()
		if err != nil {
			errs = append(errs, fmt.Errorf("pki: private key %q: %w", e.ID, err))
			continue
		}
		keys = append(keys, Key{id: e.ID, from: e.PrivateKey.String(), pem: data})
	}
	return keys, errors.Join(errs...)
}

// Store holds the key pairs that are complete. It is immutable.
type Store struct{ pairs map[string]*tls.Certificate }

// NewStore joins keys with the certificates of entries, the later of two
// certificates for the same id winning. Ids that lack one half are left out. A
// key that does not belong to its certificate is an error that names both
// files.
func NewStore(keys []Key, entries []Entry) (*Store, error) {
	certificates := map[string]config.Source{}
	for _, e := range entries {
		if !e.Certificate.IsZero() {
			certificates[e.ID] = e.Certificate
		}
	}
	s := &Store{pairs: map[string]*tls.Certificate{}}
	var errs []error
	for _, k := range keys {
		source, ok := certificates[k.id]
		if !ok {
			continue
		}
		pair, err := join(&k, source)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.pairs[k.id] = pair
	}
	return s, errors.Join(errs...)
}

func join(k *Key, source config.Source) (*tls.Certificate, error) {
	chain, err := source.Read()
	if err != nil {
		return nil, fmt.Errorf("pki: certificate %q: %w", k.id, err)
	}
	if block, _ := pem.Decode(chain); block == nil {
		return nil, fmt.Errorf("pki: certificate %q: %s holds no PEM block", k.id, source)
	}
	pair, err := tls.X509KeyPair(chain, k.pem)
	if err != nil {
		return nil, fmt.Errorf("pki: %q: private key %s and certificate %s: %w", k.id, k.from, source, err)
	}
	return &pair, nil
}

// Certificate returns the pair of that id.
func (s *Store) Certificate(id string) (*tls.Certificate, error) {
	if c := s.pairs[id]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("pki: %q has no private key or no certificate", id)
}

// Name is a host name, or "*." and a domain, and the id that serves it.
type Name struct{ Hostname, ID string }

// ForNames returns a function for tls.Config.GetCertificate: the certificate of
// the first name that the client asks for, else that of the id fallback.
func (s *Store) ForNames(fallback string, names []Name) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	first, err := s.Certificate(fallback)
	if err != nil {
		return nil, err
	}
	exact := map[string]*tls.Certificate{}
	for _, n := range names {
		c, err := s.Certificate(n.ID)
		if err != nil {
			return nil, err
		}
		exact[strings.ToLower(n.Hostname)] = c
	}
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
		if c := exact[name]; c != nil {
			return c, nil
		}
		if _, parent, ok := strings.Cut(name, "."); ok {
			if c := exact["*."+parent]; c != nil {
				return c, nil
			}
		}
		return first, nil
	}, nil
}

// ReadAuthorities reads all certificates of a PEM source.
func ReadAuthorities(source config.Source) ([]*x509.Certificate, error) {
	data, err := source.Read()
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("pki: %s: %w", source, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("pki: %s holds no certificate", source)
	}
	return out, nil
}
