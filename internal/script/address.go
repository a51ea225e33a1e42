package script

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// addressType is how scripts give addresses: "local@domain" ("" or "<>" is the
// null sender), or an array with localpart and domain (spec hsl-phases.md 1.4).
const addressType = value.StringType | value.ArrayType

// parseAddress reads an address argument.
func parseAddress(v value.Value) (address.Address, error) {
	if v.IsArray() {
		a := v.Array()
		local, _ := a.GetString("localpart")
		domain, _ := a.GetString("domain")
		if !local.IsString() || !domain.IsString() {
			return address.Address{}, value.Errorf("an address needs localpart and domain as strings")
		}
		return address.Address{Local: local.Str(), Domain: domain.Str()}, nil
	}
	text := v.Text()
	if text == "" || text == "<>" {
		return address.Address{}, nil
	}
	a, err := address.Parse(text)
	if err != nil {
		return a, value.Errorf("%q is not an address: %v", text, err)
	}
	return a, nil
}

// addressValue is an address as scripts see it, in its own spelling.
func addressValue(a address.Address) value.Value {
	return record("localpart", value.String(a.Local), "domain", value.String(a.Domain))
}

// folded is an address as one string in lower case, "" for the null sender.
func folded(a address.Address) value.Value { return value.String(strings.ToLower(a.String())) }

// params are ESMTP parameters as scripts see them.
func params(p smtp.Params) value.Value {
	a := value.NewArray(0)
	for _, one := range p {
		a.SetString(strings.ToUpper(one.Key), value.String(one.Value))
	}
	return value.FromArray(a)
}

// record is an array of names and values, given in turns. Values that are
// undefined are left out: what is not known is absent, not none.
func record(pairs ...any) value.Value {
	a := value.NewArray(0)
	for i := 0; i < len(pairs); i += 2 {
		if v := pairs[i+1].(value.Value); !v.IsUndefined() {
			a.SetString(pairs[i].(string), v)
		}
	}
	return value.FromArray(a)
}

// optional is the string, or undefined where there is none.
func optional(s string) value.Value {
	if s == "" {
		return value.Undefined
	}
	return value.String(s)
}

func number[T ~int | ~int64 | ~uint8 | ~uint16 | ~uint32](n T) value.Value {
	return value.Number(float64(n))
}
