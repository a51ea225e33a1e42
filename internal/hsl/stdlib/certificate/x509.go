package certificate

import (
	"crypto/x509"
	"encoding/pem"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/ffi"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Classes returns X509 and X509CRL.
func Classes() []*value.Class { return []*value.Class{x509Class, crlClass} }

var x509Class = &value.Class{Name: "X509", Doc: "A certificate."}

func init() {
	text := declare.Option("boolean pem = false", "PEM instead of bytes (DER).")
	c := x509Class
	c.Constructor = declare.Function("X509(X509Resource x509resource) X509", "Makes an object of a certificate that is a resource.",
		`echo X509::String("no certificate") ?? "none"; // none`,
		func(call *value.Call) (value.Value, error) {
			return New(call.Args[0].Resource().(*Resource).Certificate), nil
		})
	c.Methods = []*value.Builtin{
		get("subject() array", "Returns the name of the holder as a list of pairs of name, such as CN, and value.",
			func(c *x509.Certificate) value.Value { return distinguishedName(c.RawSubject) }),
		get("issuer() array", "Returns the name of the issuer as a list of pairs of name and value.",
			func(c *x509.Certificate) value.Value { return distinguishedName(c.RawIssuer) }),
		get("subject_alt_name() array", "Returns the other names of the holder: lists under DNS, email, IP and URI.", alternativeNames),
		get("version() number", "Returns the version, which is 3 nearly always.",
			func(c *x509.Certificate) value.Value { return value.Int(c.Version) }),
		get("serial_number() string", "Returns the serial number in hexadecimal digits.",
			func(c *x509.Certificate) value.Value { return serial(c.SerialNumber) }),
		get("not_valid_before() number", "Returns the Unix time from which it is valid.",
			func(c *x509.Certificate) value.Value { return value.Number(float64(c.NotBefore.Unix())) }),
		get("not_valid_after() number", "Returns the Unix time until which it is valid.",
			func(c *x509.Certificate) value.Value { return value.Number(float64(c.NotAfter.Unix())) }),
		declare.Method("public_key([array options]) string", "Returns the public key (SubjectPublicKeyInfo).",
			func(c *value.Call) (value.Value, error) {
				return encoded(c, "PUBLIC KEY", certificateOf(c).RawSubjectPublicKeyInfo)
			}, text),
		declare.Method("export([array options]) string", "Returns the certificate itself.",
			func(c *value.Call) (value.Value, error) { return encoded(c, "CERTIFICATE", certificateOf(c).Raw) }, text),
		declare.Method("verify(array calist, [array intermediates], [array revokelist]) array",
			"Checks that the certificate is valid now, leads to one of the list of authorities, over those between if need be, and was not revoked. "+
				"Returns an array of result and, if that is false, error.", verify),
		declare.Method("extensions([array options]) array", "Returns a list of arrays of oid, name, value (as bytes) and critical.",
			func(c *value.Call) (value.Value, error) { return extensions(certificateOf(c).Extensions), nil }),
		get("toResource() X509Resource", "Returns the resource.",
			func(c *x509.Certificate) value.Value { return value.FromResource(&Resource{c}) }),
		ffi.Value(),
	}
	c.Statics = []*value.Builtin{
		declare.Method("String(string data, [array options]) X509 or array or none", "Reads a certificate, or none if it is malformed.",
			parseString, declare.Option("boolean pem = false", "The data is PEM instead of bytes (DER)."),
			declare.Option("boolean multiple = false", "The data may hold several; returns a list.")),
	}
	declare.Examples(c, x509Examples)
}

func certificateOf(c *value.Call) *x509.Certificate { return c.This.Native.(*x509.Certificate) }

// get is a method without arguments.
func get(signature, doc string, f func(*x509.Certificate) value.Value) *value.Builtin {
	return declare.Method(signature, doc, func(c *value.Call) (value.Value, error) { return f(certificateOf(c)), nil })
}

// encoded returns bytes, or PEM if the option says so.
func encoded(c *value.Call, kind string, der []byte) (value.Value, error) {
	if c.Options(0).Bool("pem") {
		return declare.Bytes(c, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return declare.Bytes(c, der)
}

func alternativeNames(c *x509.Certificate) value.Value {
	groups := value.NewArray(0)
	add := func(kind string, names []string) {
		if len(names) > 0 {
			groups.SetString(kind, value.FromArray(value.Strings(names)))
		}
	}
	var addresses, links []string
	for _, ip := range c.IPAddresses {
		addresses = append(addresses, ip.String())
	}
	for _, u := range c.URIs {
		links = append(links, u.String())
	}
	add("DNS", c.DNSNames)
	add("email", c.EmailAddresses)
	add("IP", addresses)
	add("URI", links)
	return value.FromArray(groups)
}

func parseString(c *value.Call) (value.Value, error) {
	o := c.Options(1)
	var list []*x509.Certificate
	var err error
	if o.Bool("pem") {
		list, err = Parse(c.Str(0))
	} else {
		list, err = x509.ParseCertificates([]byte(c.Str(0)))
	}
	if err != nil || len(list) == 0 {
		return value.None, nil // none says so
	}
	if !o.Bool("multiple") {
		return New(list[0]), nil
	}
	objects := value.NewArray(len(list))
	for _, one := range list {
		objects.Push(New(one))
	}
	return value.FromArray(objects), nil
}

func verify(c *value.Call) (value.Value, error) {
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	for i, pool := range []*x509.CertPool{o.Roots, o.Intermediates} {
		list, ok := listOf(c.Array(i))
		if !ok {
			return value.None, declare.Unwanted(c, i, "a list of X509")
		}
		for _, one := range list {
			pool.AddCert(one)
		}
	}
	chains, err := certificateOf(c).Verify(o)
	if err == nil {
		err = revoked(c, chains)
	}
	if err != nil {
		return value.FromArray(value.Map("result", value.False, "error", value.String(err.Error()))), nil
	}
	return value.FromArray(value.Map("result", value.True)), nil
}

// revoked returns an error unless one of the chains holds no certificate that a
// list of its issuer names.
func revoked(c *value.Call, chains [][]*x509.Certificate) (err error) {
	for _, chain := range chains {
		if err = revokedIn(c, chain); err == nil {
			return nil
		}
	}
	return err
}

func revokedIn(c *value.Call, chain []*x509.Certificate) error {
	for i := range len(chain) - 1 {
		for v := range c.Array(2).Values() {
			list := revocationOf(v)
			if list == nil || list.CheckSignatureFrom(chain[i+1]) != nil {
				continue
			}
			for _, entry := range list.RevokedCertificateEntries {
				if entry.SerialNumber.Cmp(chain[i].SerialNumber) == 0 {
					return value.Errorf("certificate was revoked: serial number %s", serial(entry.SerialNumber).Str())
				}
			}
		}
	}
	return nil
}
