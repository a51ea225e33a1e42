// Package pki joins private keys and certificates by id and serves them to
// whoever speaks TLS. Keys mostly stand in the startup file and certificates in
// the running one, so that a renewed certificate with the same key needs only a
// reload (spec config.md 1.2).
//
// A Store holds what the configuration names. A Selector decides which
// certificate a client gets, among those, the ones that package acme beneath
// has obtained, and one that signs itself so that there always is one. The
// rules of precedence are in choose.go and nowhere else.
package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

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

// Store holds the key pairs that are complete, and keys that stand alone, as
// those for DKIM do. It is immutable.
type Store struct {
	pairs map[string]*pair
	keys  map[string]*Key
}

type pair struct {
	id, from    string // from is where the certificate was read, for messages
	certificate *tls.Certificate
}

// NewStore joins keys with the certificates of entries. Of two keys, or two
// certificates, for the same id the later wins, so that the running file
// replaces what the startup file has. Ids that lack one half are left out. A key
// that does not belong to its certificate is an error that names both files.
func NewStore(keys []Key, entries []Entry) (*Store, error) {
	certificates, last := map[string]config.Source{}, map[string]*Key{}
	for _, e := range entries {
		if !e.Certificate.IsZero() {
			certificates[e.ID] = e.Certificate
		}
	}
	for i := range keys {
		last[keys[i].id] = &keys[i]
	}
	s := &Store{pairs: map[string]*pair{}, keys: last}
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(last)) {
		source, ok := certificates[id]
		if !ok {
			continue
		}
		certificate, err := join(last[id], source)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.pairs[id] = &pair{id, source.String(), certificate}
	}
	return s, errors.Join(errs...)
}

// CheckDates returns an error for each certificate that is out of date at now
// and did not serve in old, which may be nil: one that is in service already is
// no reason to refuse a reload for something else.
func (s *Store) CheckDates(now time.Time, old *Store) error {
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(s.pairs)) {
		p := s.pairs[id]
		err := p.date(now)
		if err == nil || old != nil && old.pairs[id] != nil && old.pairs[id].certificate.Leaf.Equal(p.certificate.Leaf) {
			continue
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Outdated describes the certificates that are out of date at now.
func (s *Store) Outdated(now time.Time) (lines []string) {
	for _, id := range slices.Sorted(maps.Keys(s.pairs)) {
		if err := s.pairs[id].date(now); err != nil {
			lines = append(lines, err.Error())
		}
	}
	return lines
}

// date says why the certificate is of no use at now.
func (p *pair) date(now time.Time) error {
	switch leaf := p.certificate.Leaf; {
	case now.After(leaf.NotAfter):
		return fmt.Errorf("pki: certificate %q: %s expired on %s", p.id, p.from, leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("pki: certificate %q: %s is not valid before %s", p.id, p.from, leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// ReadPair reads a key and its chain that belong to no id. One source may hold
// both, as pure-ftpd and HAProxy have it.
func ReadPair(what string, key, certificate config.Source) (*tls.Certificate, error) {
	data, err := key.Read()
	if err != nil {
		return nil, fmt.Errorf("pki: private key of %s: %w", what, err)
	}
	return join(&Key{id: what, from: key.String(), pem: data}, certificate)
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
	if p := s.pairs[id]; p != nil {
		return p.certificate, nil
	}
	return nil, fmt.Errorf("pki: %q has no private key or no certificate", id)
}

// PrivateKey returns the PEM text of the private key of that id and whether there
// is one. It must not be logged or changed.
func (s *Store) PrivateKey(id string) (pem []byte, ok bool) {
	if k := s.keys[id]; k != nil {
		return k.pem, true
	}
	return nil, false
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
