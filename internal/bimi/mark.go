package bimi

import (
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

var (
	// oidLogotype is the extension that holds the logo (RFC 9399).
	oidLogotype = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 12}
	// oidBrand is the purpose of such certificates (RFC 9399, id-kp-BrandIndicatorforMessageIdentification).
	oidBrand = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 31}
)

// ErrMark says that a certificate vouches for nothing.
var ErrMark = errors.New("bimi: mark certificate")

// Mark is a logo that a certificate vouches for.
type Mark struct {
	SVG  []byte
	Leaf *x509.Certificate
}

// maxCertificates bounds how many of a file are looked at.
const maxCertificates = 10

// ParseMark reads the certificates of a PEM file, the one with the logo first,
// proves that they lead to one of the authorities at the time now and that they are
// for one of the names, which are domains or a selector's name such as
// default._bimi.example.com, and returns the logo. Revocation is not looked at.
// The error wraps ErrMark.
func ParseMark(text []byte, authorities []*x509.Certificate, names []string, now time.Time) (*Mark, error) {
	chain, err := parseChain(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMark, err)
	}
	m := &Mark{Leaf: chain[0]}
	if err := prove(chain, authorities, names, now); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMark, err)
	}
	if m.SVG, err = logo(m.Leaf); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMark, err)
	}
	return m, nil
}

func parseChain(text []byte) (chain []*x509.Certificate, err error) {
	for len(chain) < maxCertificates {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, errors.New("no certificate in PEM")
	}
	return chain, nil
}

func prove(chain, authorities []*x509.Certificate, names []string, now time.Time) error {
	leaf := chain[0]
	o := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	for _, c := range authorities {
		o.Roots.AddCert(c)
	}
	for _, c := range chain[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(o); err != nil {
		return err
	}
	for _, purpose := range leaf.UnknownExtKeyUsage {
		if purpose.Equal(oidBrand) {
			return forName(leaf, names)
		}
	}
	return errors.New("it is not for brand indicators")
}

// forName: names count in full, without wildcards.
func forName(leaf *x509.Certificate, names []string) error {
	for _, has := range leaf.DNSNames {
		for _, name := range names {
			if strings.EqualFold(has, name) {
				return nil
			}
		}
	}
	return fmt.Errorf("it is not for %s", strings.Join(names, ", "))
}

// logo takes the logo from the certificate: SVG, compressed, in a data URI.
func logo(leaf *x509.Certificate) ([]byte, error) {
	for _, e := range leaf.Extensions {
		if !e.Id.Equal(oidLogotype) {
			continue
		}
		uri, ok := dataURI(e.Value, 0)
		if !ok {
			return nil, errors.New("its logo is not in it")
		}
		return decodeURI(uri)
	}
	return nil, errors.New("it has no logo")
}

const uriStart = "data:image/svg+xml"

// dataURI finds the first data URI in a value, however deep: the types around it
// have many choices (RFC 9399 §4.1), of which only it matters.
func dataURI(der []byte, depth int) (string, bool) {
	for len(der) > 0 && depth < 20 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		if err != nil {
			return "", false
		}
		der = rest
		if v.Class == asn1.ClassUniversal && v.Tag == asn1.TagIA5String && strings.HasPrefix(string(v.Bytes), uriStart) {
			return string(v.Bytes), true
		}
		if v.IsCompound {
			if uri, ok := dataURI(v.Bytes, depth+1); ok {
				return uri, true
			}
		}
	}
	return "", false
}

func decodeURI(uri string) ([]byte, error) {
	_, data, ok := strings.Cut(uri, ";base64,")
	if !ok {
		return nil, errors.New("its logo is not in base64")
	}
	packed, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, fmt.Errorf("its logo: %w", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return packed, nil // not compressed
	}
	svg, err := io.ReadAll(io.LimitReader(r, maxSVG+1))
	if err != nil || len(svg) > maxSVG {
		return nil, fmt.Errorf("its logo cannot be unpacked, or has more than %d bytes", maxSVG)
	}
	return svg, nil
}
