package mail

import (
	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// AddressType is how scripts give addresses: "local@domain" ("" or "<>" is the
// null sender), or an array with localpart and domain (spec hsl-phases.md 1.4).
const AddressType = value.StringType | value.ArrayType

// ParseAddress reads an address argument.
func ParseAddress(v value.Value) (address.Address, error) {
	if v.IsArray() {
		a := v.Array()
		local, _ := a.GetString("localpart")
		domain, _ := a.GetString("domain")
		if !local.IsString() || !domain.IsString() {
			return address.Address{}, value.Errorf("an address needs localpart and domain as strings")
		}
		return checked(address.Address{Local: local.Str(), Domain: domain.Str()})
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

// checked returns an address that a script put together if it is one, so that
// nothing else, such as a line break, gets into a command.
func checked(a address.Address) (address.Address, error) {
	if a.IsNull() {
		return a, nil
	}
	if _, err := address.Parse(a.String()); err != nil {
		return address.Address{}, value.Errorf("localpart %.80q and domain %.80q are no address: %v", a.Local, a.Domain, err)
	}
	return a, nil
}
