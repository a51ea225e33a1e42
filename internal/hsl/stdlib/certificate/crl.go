package certificate

import (
	"crypto/x509"
	"encoding/pem"
	"strconv"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

var crlClass = &value.Class{Name: "X509CRL", Doc: "A list of certificates that their issuer has revoked."}

func init() {
	text := declare.Option("boolean pem = false", "PEM instead of bytes (DER).")
	c := crlClass
	c.Constructor = declare.Function("X509CRL(X509CRLResource x509CRLresource) X509CRL", "Makes an object of a list that is a resource.",
		`echo X509CRL::String("no list") ?? "none"; // none`,
		func(call *value.Call) (value.Value, error) {
			return value.FromObject(crlClass.New(call.Args[0].Resource().(*ListResource).List)), nil
		})
	c.Methods = []*value.Builtin{
		getList("issuer() array", "Returns the name of the issuer as a list of pairs of name and value.",
			func(l *x509.RevocationList) value.Value { return distinguishedName(l.RawIssuer) }),
		getList("revoked() array", "Returns a list of arrays of serial_number, in hexadecimal digits, reason and date.", revokedEntries),
		getList("version() number", "Returns the version.",
			func(*x509.RevocationList) value.Value { return value.Int(2) }), // RFC 5280 §5.1.2.1: all others are gone
		getList("last_update() number", "Returns the Unix time of the list.",
			func(l *x509.RevocationList) value.Value { return value.Number(float64(l.ThisUpdate.Unix())) }),
		getList("next_update() number", "Returns the Unix time until which there will be another.",
			func(l *x509.RevocationList) value.Value { return value.Number(float64(l.NextUpdate.Unix())) }),
		declare.Method("export([array options]) string", "Returns the list itself.",
			func(c *value.Call) (value.Value, error) { return encoded(c, "X509 CRL", revocationList(c).Raw) }, text),
		declare.Method("extensions([array options]) array", "Returns a list of arrays of oid, name, value (as bytes) and critical.",
			func(c *value.Call) (value.Value, error) { return extensions(revocationList(c).Extensions), nil }),
		getList("toResource() X509CRLResource", "Returns the resource.",
			func(l *x509.RevocationList) value.Value { return value.FromResource(&ListResource{l}) }),
	}
	c.Statics = []*value.Builtin{
		declare.Method("String(string data, [array options]) X509CRL or none", "Reads a list, or none if it is malformed.",
			parseCRL, declare.Option("boolean pem = false", "The data is PEM instead of bytes (DER).")),
	}
	declare.Examples(c, crlExamples)
}

func revocationList(c *value.Call) *x509.RevocationList {
	return c.This.Native.(*x509.RevocationList)
}

// getList is a method without arguments.
func getList(signature, doc string, f func(*x509.RevocationList) value.Value) *value.Builtin {
	return declare.Method(signature, doc, func(c *value.Call) (value.Value, error) { return f(revocationList(c)), nil })
}

// reasons are the texts of RFC 5280 §5.3.1.
var reasons = map[int]string{
	0: "unspecified", 1: "keyCompromise", 2: "cACompromise", 3: "affiliationChanged", 4: "superseded", 5: "cessationOfOperation",
	6: "certificateHold", 8: "removeFromCRL", 9: "privilegeWithdrawn", 10: "aACompromise",
}

func revokedEntries(l *x509.RevocationList) value.Value {
	list := value.NewArray(len(l.RevokedCertificateEntries))
	for _, entry := range l.RevokedCertificateEntries {
		reason, known := reasons[entry.ReasonCode]
		if !known {
			reason = strconv.Itoa(entry.ReasonCode)
		}
		list.Push(value.FromArray(value.Map(
			"serial_number", serial(entry.SerialNumber), "reason", value.String(reason),
			"date", value.Number(float64(entry.RevocationTime.Unix())),
		)))
	}
	return value.FromArray(list)
}

func parseCRL(c *value.Call) (value.Value, error) {
	der := []byte(c.Str(0))
	if c.Options(1).Bool("pem") {
		block, _ := pem.Decode(der)
		if block == nil {
			return value.None, nil
		}
		der = block.Bytes
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return value.None, nil // none says so
	}
	return value.FromObject(crlClass.New(list)), nil
}
