package bimi_test

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/bimi"
)

func TestParseRecord(t *testing.T) {
	r, err := bimi.ParseRecord("v=BIMI1; l=https://example.com/a.svg; a=HTTPS://example.com/a.pem; avp=personal; x=y;")
	if err != nil || r.Location != "https://example.com/a.svg" || r.Authority != "HTTPS://example.com/a.pem" || r.Preference != "personal" || len(r.Tags) != 5 {
		t.Errorf("%+v, %v", r, err)
	}
	for text, want := range map[string]error{
		"": bimi.ErrNoRecord, "v=BIMI2; l=": bimi.ErrNoRecord, "l=https://x; v=BIMI1": bimi.ErrNoRecord, "v=spf1 -all": bimi.ErrNoRecord,
		"v=BIMI1; l=; a=;": bimi.ErrDeclined, "v=BIMI1": bimi.ErrDeclined, "v=BIMI1; l": bimi.ErrSyntax, "v=BIMI1; =x": bimi.ErrSyntax,
		"v=BIMI1; l=https://x; l=https://y": bimi.ErrSyntax, "v=BIMI1; l=http://x": bimi.ErrSyntax, "v=BIMI1; a=javascript:x": bimi.ErrSyntax,
	} {
		if _, err := bimi.ParseRecord(text); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

func TestParseSelector(t *testing.T) {
	for text, want := range map[string]string{
		"v=BIMI1; s=Brand": "brand", "v=BIMI1; x=y; s=a.b_c;": "a.b_c", "s=brand": "", "v=BIMI1": "", "v=BIMI1; s=a b": "", "v=BIMI1; s=a..b": "", "": "",
	} {
		if got, ok := bimi.ParseSelector(text); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q %v", text, got, ok)
		}
	}
}

const good = `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.2" baseProfile="tiny-ps" viewBox="0 0 10 10">
<title>Example</title><desc>x</desc>
<defs><linearGradient id="g"><stop offset="0" stop-color="#fff"/></linearGradient></defs>
<g fill="url(#g)"><rect x="0" y="0" width="10" height="10"/><use xlink:href="#g"/></g>
</svg>`

// TestCheckSVG breaks a good logo in one way each.
func TestCheckSVG(t *testing.T) {
	if faults := bimi.CheckSVG([]byte(good)); faults != nil {
		t.Errorf("a good logo: %q", faults)
	}
	for _, c := range []struct{ old, new, want string }{
		{`version="1.2"`, `version="1.1"`, "version"},
		{`baseProfile="tiny-ps"`, ``, "baseProfile"},
		{`viewBox`, `x="0" viewBox`, "attribute x"},
		{`<title>Example</title>`, ``, "0 titles"},
		{`<title>Example</title>`, `<title> </title>`, "0 characters"},
		{`<title>Example</title>`, `<title>` + strings.Repeat("ä", 66) + `</title>`, "66 characters"},
		{`<desc>x</desc>`, `<script>x</script>`, `"script"`},
		{`<desc>x</desc>`, `<image xlink:href="https://example.com/x.png"/>`, `"image"`},
		{`<desc>x</desc>`, `<animate attributeName="x"/>`, `"animate"`},
		{`<desc>x</desc>`, `<svg/>`, `"svg"`},
		{`<desc>x</desc>`, `<p xmlns="http://www.w3.org/1999/xhtml"/>`, "another kind"},
		{`<desc>x</desc>`, `&entity;`, "well-formed"},
		{`<desc>x</desc>`, `<desc>`, "well-formed"},
		{`<desc>x</desc>`, `<?php x?>`, "processing instruction"},
		{`<svg xmlns`, `<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns`, "document type"},
		{`</svg>`, `</svg><svg xmlns="http://www.w3.org/2000/svg"/>`, "second root"},
		{`<g `, `<g onclick="x()" `, "onclick"},
		{`<g `, `<g style="fill:url(http://x)" `, "style"},
		{`href="#g"`, `href="https://example.com/"`, "not in the file"},
		{`url(#g)`, `url(https://example.com/)`, "not in the file"},
		{`http://www.w3.org/2000/svg`, `http://www.w3.org/2001/svg`, "root element"},
		{`<desc>x`, `<desc>` + strings.Repeat("x", 33000), "bytes"},
		{`<desc>x`, `<desc>` + strings.Repeat("x", 2<<20), "bytes"},
		{`<desc>x</desc>`, strings.Repeat("<g>", 100) + strings.Repeat("</g>", 100), "within each other"},
	} {
		faults := strings.Join(bimi.CheckSVG([]byte(strings.Replace(good, c.old, c.new, 1))), "; ")
		if !strings.Contains(faults, c.want) {
			t.Errorf("%s: %q, want %q", c.new[:min(len(c.new), 60)], faults, c.want)
		}
	}
	if faults := bimi.CheckSVG(nil); len(faults) != 1 {
		t.Errorf("nothing: %q", faults)
	}
}

func FuzzCheckSVG(f *testing.F) {
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, text []byte) {
		if n := len(bimi.CheckSVG(text)); n > 21 {
			t.Errorf("%d faults", n)
		}
	})
}

// authority issues mark certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert, a.key = a.issue(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) issue(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(1), pkix.Name{CommonName: "x"}
	if template.NotBefore.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return c, key
}

// logotype is an extension with a logo, as deep as real ones have it.
func logotype(t *testing.T, uri string) pkix.Extension {
	t.Helper()
	type nested struct{ A struct{ B []asn1.RawValue } }
	var n nested
	n.A.B = []asn1.RawValue{{Class: asn1.ClassUniversal, Tag: asn1.TagIA5String, Bytes: []byte(uri)}}
	der, err := asn1.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 12}, Value: der}
}

func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
}

func TestParseMark(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	brand := []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 31}}
	names := []string{"default._bimi.example.com", "example.com"}
	for _, c := range []struct {
		name     string
		template x509.Certificate
		by       *authority
		want     string
	}{
		{"good", x509.Certificate{UnknownExtKeyUsage: brand, DNSNames: []string{"Example.com"}, ExtraExtensions: []pkix.Extension{logotype(t, packed(good))}}, a, ""},
		{"not compressed", x509.Certificate{UnknownExtKeyUsage: brand, DNSNames: names[:1],
			ExtraExtensions: []pkix.Extension{logotype(t, "data:image/svg+xml;base64,"+base64.StdEncoding.EncodeToString([]byte(good)))}}, a, ""},
		{"authority", x509.Certificate{UnknownExtKeyUsage: brand, DNSNames: names}, other, "unknown authority"},
		{"expired", x509.Certificate{UnknownExtKeyUsage: brand, DNSNames: names, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0)}, a, "expired"},
		{"purpose", x509.Certificate{DNSNames: names}, a, "not for brand"},
		{"name", x509.Certificate{UnknownExtKeyUsage: brand, DNSNames: []string{"*.com", "www.example.com"}}, a, "not for default._bimi"},
		{"no logo", x509.Certificate{UnknownExtKeyUsage: brand, DNSNames: names}, a, "no logo"},
		{"elsewhere", x509.Certificate{UnknownExtKeyUsage: brand, DNSNames: names, ExtraExtensions: []pkix.Extension{logotype(t, "https://x")}}, a, "not in it"},
		{"plain", x509.Certificate{UnknownExtKeyUsage: brand, DNSNames: names, ExtraExtensions: []pkix.Extension{logotype(t, "data:image/svg+xml,x")}}, a, "base64"},
		{"bomb", x509.Certificate{UnknownExtKeyUsage: brand, DNSNames: names, ExtraExtensions: []pkix.Extension{logotype(t, packed(strings.Repeat(" ", 2<<20)))}}, a, "more than"},
	} {
		leaf, _ := c.by.issue(&c.template)
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
		m, err := bimi.ParseMark(text, []*x509.Certificate{a.cert}, names, time.Now())
		if c.want == "" && (err != nil || string(m.SVG) != good) || c.want != "" && (!errors.Is(err, bimi.ErrMark) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := bimi.ParseMark([]byte("x"), nil, nil, time.Now()); !errors.Is(err, bimi.ErrMark) {
		t.Errorf("no certificate: %v", err)
	}
}

func FuzzParseMark(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := bimi.ParseMark(text, nil, nil, time.Now()); err == nil {
			t.Error("a certificate without authorities is proved")
		}
	})
}
