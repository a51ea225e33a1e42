package script

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// addressType is how scripts give addresses.
const addressType = mail.AddressType

// parseAddress reads an address argument.
func parseAddress(v value.Value) (address.Address, error) { return mail.ParseAddress(v) }

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
