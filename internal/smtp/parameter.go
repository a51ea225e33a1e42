package smtp

import (
	"strings"
)

// Param is one ESMTP parameter of MAIL or RCPT.
type Param struct {
	Key   string // upper case
	Value string // as it came: xtext is not decoded
}

// Params are the parameters of one command in their order.
type Params []Param

// Get returns the value of the parameter key, in upper case, and whether it is
// there.
func (p Params) Get(key string) (value string, ok bool) {
	for i := range p {
		if p[i].Key == key {
			return p[i].Value, true
		}
	}
	return "", false
}

// Map returns the parameters as a map, nil when there are none.
func (p Params) Map() map[string]string {
	if len(p) == 0 {
		return nil
	}
	m := make(map[string]string, len(p))
	for _, param := range p {
		m[param.Key] = param.Value
	}
	return m
}

// Append appends the parameters as they follow a path, each with a space
// before it.
func (p Params) Append(b []byte) []byte {
	for _, param := range p {
		b = append(append(b, ' '), param.Key...)
		if param.Value != "" {
			b = append(append(b, '='), param.Value...)
		}
	}
	return b
}

// maxParams is more than all extensions have together.
const maxParams = 32

var (
	errParam      = &SyntaxError{501, EnhancedCode{5, 5, 4}, "Malformed parameter"}
	errParamTwice = &SyntaxError{501, EnhancedCode{5, 5, 4}, "Parameter given twice"}
	errParamCount = &SyntaxError{501, EnhancedCode{5, 5, 4}, "Too many parameters"}
)

// ParseParams parses what follows the path of MAIL or RCPT. Keys become upper
// case; a key that stands twice is refused, for nobody could say which value
// holds.
func ParseParams(s string) (Params, error) {
	if s == "" {
		return nil, nil
	}
	if s[0] != ' ' {
		return nil, errParam
	}
	params := make(Params, 0, 4)
	for word := range strings.FieldsSeq(s) {
		param, err := parseParam(word)
		if err != nil {
			return nil, err
		}
		if _, twice := params.Get(param.Key); twice {
			return nil, errParamTwice
		}
		if len(params) == maxParams {
			return nil, errParamCount
		}
		params = append(params, param)
	}
	return params, nil
}

func parseParam(s string) (Param, error) {
	key, value, valued := strings.Cut(s, "=")
	if !isKeyword(key) || valued && value == "" {
		return Param{}, errParam
	}
	for i := range len(value) {
		if c := value[i]; c <= ' ' || c == 0x7f {
			return Param{}, errParam
		}
	}
	return Param{Key: strings.ToUpper(key), Value: value}, nil
}

// isKeyword is esmtp-keyword of RFC 5321 §4.1.2.
func isKeyword(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isLetDig(c) && (i == 0 || c != '-') {
			return false
		}
	}
	return s != ""
}

func isLetDig(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
