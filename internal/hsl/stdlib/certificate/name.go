package certificate

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// names are the short names of the parts of a name, as OpenSSL has them.
var names = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "street",
	"2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title", "2.5.4.13": "description", "2.5.4.15": "businessCategory",
	"2.5.4.17": "postalCode", "2.5.4.41": "name", "2.5.4.42": "GN", "2.5.4.43": "initials", "2.5.4.46": "dnQualifier",
	"2.5.4.65": "pseudonym", "2.5.4.97": "organizationIdentifier", "1.2.840.113549.1.9.1": "emailAddress",
	"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
	"1.3.6.1.4.1.311.60.2.1.1": "jurisdictionL", "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionST", "1.3.6.1.4.1.311.60.2.1.3": "jurisdictionC",
}

// extensionNames are the short names of extensions.
var extensionNames = map[string]string{
	"2.5.29.9": "subjectDirectoryAttributes", "2.5.29.14": "subjectKeyIdentifier", "2.5.29.15": "keyUsage",
	"2.5.29.16": "privateKeyUsagePeriod", "2.5.29.17": "subjectAltName", "2.5.29.18": "issuerAltName", "2.5.29.19": "basicConstraints",
	"2.5.29.20": "crlNumber", "2.5.29.21": "CRLReason", "2.5.29.27": "deltaCRL", "2.5.29.28": "issuingDistributionPoint",
	"2.5.29.30": "nameConstraints", "2.5.29.31": "crlDistributionPoints", "2.5.29.32": "certificatePolicies", "2.5.29.33": "policyMappings",
	"2.5.29.35": "authorityKeyIdentifier", "2.5.29.36": "policyConstraints", "2.5.29.37": "extendedKeyUsage", "2.5.29.46": "freshestCRL",
	"2.5.29.54": "inhibitAnyPolicy", "1.3.6.1.5.5.7.1.1": "authorityInfoAccess", "1.3.6.1.5.5.7.1.3": "qcStatements",
	"1.3.6.1.5.5.7.1.12": "id-pe-logotype", "1.3.6.1.5.5.7.1.24": "tlsfeature", "1.3.6.1.4.1.11129.2.4.2": "ct_precert_scts",
	"1.3.6.1.4.1.11129.2.4.3": "ct_precert_poison", "1.3.6.1.5.5.7.48.1.5": "noCheck",
}

// distinguishedName returns the parts of a name in its order, as pairs of name
// and value.
func distinguishedName(raw []byte) value.Value {
	var sequence pkix.RDNSequence
	list := value.NewArray(0)
	if _, err := asn1.Unmarshal(raw, &sequence); err != nil {
		return value.FromArray(list)
	}
	for _, set := range sequence {
		for _, part := range set {
			oid := part.Type.String()
			name, known := names[oid]
			if !known {
				name = oid
			}
			text, _ := part.Value.(string)
			list.Push(value.FromArray(value.List(value.String(name), value.String(text))))
		}
	}
	return value.FromArray(list)
}

// extensions returns the list of extensions with their raw values.
func extensions(all []pkix.Extension) value.Value {
	list := value.NewArray(len(all))
	for _, e := range all {
		oid := e.Id.String()
		name, known := extensionNames[oid]
		if !known {
			name = oid
		}
		list.Push(value.FromArray(value.Map(
			"oid", value.String(oid), "name", value.String(name), "value", value.Bytes(e.Value), "critical", value.Boolean(e.Critical),
		)))
	}
	return value.FromArray(list)
}

// serial is a serial number in whole hexadecimal bytes.
func serial(n *big.Int) value.Value {
	if n.Sign() == 0 {
		return value.String("00")
	}
	return value.String(strings.ToUpper(hex.EncodeToString(n.Bytes())))
}
