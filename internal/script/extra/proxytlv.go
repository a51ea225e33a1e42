package extra

import (
	"encoding/binary"
	"slices"

	"github.com/pires/go-proxyproto"
	"github.com/pires/go-proxyproto/tlvparse"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func proxyTLVLibrary(Options) *value.Library { return library(nil, proxyTLVClass) }

var proxyTLVClass = &value.Class{
	Name: "ProxyTLV",
	Doc:  "The additional values that a proxy gave with a connection: the types and values at the end of a header of the PROXY protocol, version 2.",
}

func init() {
	proxyTLVClass.Constructor = declare.Function("ProxyTLV(string proxytlv) ProxyTLV",
		"Reads the bytes that the connect hook finds in $arguments. Malformed ones throw.",
		`echo ProxyTLV("\x02\x00\x0bexample.com")->value("AUTHORITY"); // example.com`, newProxyTLV)
	proxyTLVClass.Methods = []*value.Builtin{
		declare.Method("value(string or number type) any",
			"Returns the value of a type, or none: a string for ALPN, AUTHORITY, UNIQUE_ID, NETNS and for the number of any type, a number for "+
				"CRC32C, and for SSL an array of those of VERSION, CN, CIPHER, SIG_ALG and KEY_ALG that are there.", tlvValue),
		declare.Method("types() array", "Returns the types that are there, known ones by their names and others by their numbers.", tlvTypes),
	}
	declare.Examples(proxyTLVClass, proxyTLVExamples)
}

// tlvNames are the types of the protocol, section 2.2.
var tlvNames = map[proxyproto.PP2Type]string{
	proxyproto.PP2_TYPE_ALPN: "ALPN", proxyproto.PP2_TYPE_AUTHORITY: "AUTHORITY", proxyproto.PP2_TYPE_CRC32C: "CRC32C",
	proxyproto.PP2_TYPE_UNIQUE_ID: "UNIQUE_ID", proxyproto.PP2_TYPE_SSL: "SSL", proxyproto.PP2_TYPE_NETNS: "NETNS",
}

func newProxyTLV(c *value.Call) (value.Value, error) {
	tlvs, err := proxyproto.SplitTLVs([]byte(c.Str(0)))
	if err != nil {
		return value.None, declare.Unwanted(c, 0, "types, lengths and values")
	}
	return value.FromObject(proxyTLVClass.New(tlvs)), c.Alloc(len(c.Str(0)) + 64*len(tlvs))
}

func tlvTypes(c *value.Call) (value.Value, error) {
	list := value.NewArray(0)
	for _, t := range c.This.Native.([]proxyproto.TLV) {
		if name := tlvNames[t.Type]; name != "" {
			list.Push(value.String(name))
		} else {
			list.Push(value.Int(int(t.Type)))
		}
	}
	return declare.Array(c, list)
}

func tlvValue(c *value.Call) (value.Value, error) {
	tlvs := c.This.Native.([]proxyproto.TLV)
	i := slices.IndexFunc(tlvs, func(t proxyproto.TLV) bool {
		if c.Args[0].IsNumber() {
			return float64(t.Type) == c.Num(0)
		}
		return tlvNames[t.Type] == c.Str(0) && c.Str(0) != ""
	})
	if i < 0 {
		return value.None, nil
	}
	t := tlvs[i]
	switch {
	case c.Args[0].IsNumber():
	case t.Type == proxyproto.PP2_TYPE_CRC32C:
		if len(t.Value) != 4 {
			return value.None, nil
		}
		return value.Number(float64(binary.BigEndian.Uint32(t.Value))), nil
	case t.Type == proxyproto.PP2_TYPE_SSL:
		return tlsValue(t), nil
	}
	return declare.Text(c, string(t.Value))
}

// tlsValue takes the values apart that a proxy says of TLS; none when they are
// malformed.
func tlsValue(t proxyproto.TLV) value.Value {
	ssl, err := tlvparse.SSL(t)
	if err != nil {
		return value.None
	}
	a := value.NewArray(0)
	for _, part := range []struct {
		name string
		get  func() (string, bool)
	}{{"VERSION", ssl.SSLVersion}, {"CN", ssl.ClientCN}, {"CIPHER", ssl.SSLCipher}, {"SIG_ALG", ssl.SSLSigAlg}, {"KEY_ALG", ssl.SSLKeyAlg}} {
		if text, ok := part.get(); ok {
			a.SetString(part.name, value.String(text))
		}
	}
	return value.FromArray(a)
}
