package envelope

import (
	"fmt"
	"strings"
)

// ParseBody parses the value of the BODY parameter (RFC 6152 §2, RFC 3030 §3),
// in any case.
func ParseBody(s string) (Body, error) {
	for _, v := range [...]Body{Body7Bit, Body8BitMIME, BodyBinaryMIME} {
		if strings.EqualFold(s, v.String()) {
			return v, nil
		}
	}
	return 0, fmt.Errorf("envelope: unknown BODY value %q", s)
}

// String returns the value as MAIL takes it.
func (v Body) String() string {
	switch v {
	case Body8BitMIME:
		return "8BITMIME"
	case BodyBinaryMIME:
		return "BINARYMIME"
	}
	return "7BIT"
}

// ParseRet parses the value of the RET parameter (RFC 3461 §4.3), in any case.
func ParseRet(s string) (Ret, error) {
	for _, v := range [...]Ret{RetFull, RetHeaders} {
		if strings.EqualFold(s, v.String()) {
			return v, nil
		}
	}
	return 0, fmt.Errorf("envelope: unknown RET value %q", s)
}

// String returns the value as MAIL takes it, "" for RetUnset.
func (v Ret) String() string {
	switch v {
	case RetFull:
		return "FULL"
	case RetHeaders:
		return "HDRS"
	}
	return ""
}

// notifyNames are in the order in which String lists them.
var notifyNames = [...]struct {
	value Notify
	name  string
}{
	{NotifyNever, "NEVER"},
	{NotifySuccess, "SUCCESS"},
	{NotifyFailure, "FAILURE"},
	{NotifyDelay, "DELAY"},
}

const notifyAll = NotifyNever | NotifySuccess | NotifyFailure | NotifyDelay

// ParseNotify parses the value of the NOTIFY parameter (RFC 3461 §4.1), a comma
// separated list in any case. NEVER stands alone.
func ParseNotify(s string) (Notify, error) {
	var v Notify
	for word := range strings.SplitSeq(s, ",") {
		bit := notifyNamed(word)
		if bit == 0 {
			return 0, fmt.Errorf("envelope: unknown NOTIFY value %q", word)
		}
		v |= bit
	}
	if v&NotifyNever != 0 && v != NotifyNever {
		return 0, fmt.Errorf("envelope: NOTIFY value %q combines NEVER with others", s)
	}
	return v, nil
}

func notifyNamed(s string) Notify {
	for _, n := range notifyNames {
		if strings.EqualFold(s, n.name) {
			return n.value
		}
	}
	return 0
}

// String returns the value as RCPT takes it, "" for zero.
func (v Notify) String() string {
	var words []string
	for _, n := range notifyNames {
		if v&n.value != 0 {
			words = append(words, n.name)
		}
	}
	return strings.Join(words, ",")
}
