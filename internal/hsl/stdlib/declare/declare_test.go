package declare_test

import (
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// TestFunction: a signature reads back from the builtin that it makes.
func TestFunction(t *testing.T) {
	for _, signature := range []string{
		"time()",
		"str_chunk(string string, number length, [number firstlength])",
		"array_range(number start, number stop, [number step = 1])",
		`seek(number offset, [string whence = "SEEK_SET"])`,
		"pack(string format, ...any args)",
		"rsa_sign(string message, RSAPrivateKey or string privatekey, [array options])",
		"json_encode(any value)",
		"memory_dec(string key, [number offset = 1], [boolean remove_if_zero = false])",
	} {
		if got := declare.Function(signature, "", "", nil).String(); got != signature {
			t.Errorf("Function(%q) is %q", signature, got)
		}
	}
}

func TestReturns(t *testing.T) {
	for result, want := range map[string]value.Type{
		"": value.NoneType, "string or none": value.StringType | value.NoneType,
		"X509 or none": value.ObjectType | value.NoneType, "Regex": value.ResourceType, "any": value.AnyType,
	} {
		if got := declare.Function("f() "+result, "", "", nil).Returns; got != want {
			t.Errorf("f() %s returns %s, want %s", result, got, want)
		}
	}
}

func TestOption(t *testing.T) {
	o := declare.Option("number connect_timeout = 10", "seconds")
	if o.Name != "connect_timeout" || o.Type != value.NumberType || o.Default.Float() != 10 {
		t.Errorf("Option made %+v", o)
	}
	b := declare.Function("http(string url, [array options], [array get])", "", "", nil, o)
	if len(b.Params[1].Options) != 1 || b.Params[2].Options != nil {
		t.Errorf("options are not those of the parameter of that name: %+v", b.Params)
	}
}

func TestMistakes(t *testing.T) {
	for _, signature := range []string{
		"", "f", "f(", "f(string)", "f(string a b)", "f([string a)", `f([string a = "x])`, "f([number a = x])", "f() string string",
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "declare: ") {
					t.Errorf("%q: want a panic that says why, got %q", signature, text)
				}
			}()
			declare.Function(signature, "", "", nil)
		}()
	}
}

func TestUnwanted(t *testing.T) {
	b := declare.Function("f(any x, ...any more)", "", "", nil)
	for _, c := range []struct {
		v    value.Value
		want string
	}{
		{value.Int(5), "5"}, {value.String("a"), `"a"`}, {value.String(strings.Repeat("a", 99)), `"` + strings.Repeat("a", 60) + `…"`},
		{value.None, "none"}, {value.FromArray(value.NewArray(0)), "an array"}, {value.String("-----BEGIN PRIVATE KEY-----\nx"), "a private key"},
	} {
		call := &value.Call{Builtin: b, Args: []value.Value{c.v}}
		if got := declare.Unwanted(call, 0, "better").Error(); got != "f: argument 1 (x): want better, got "+c.want {
			t.Errorf("got %s", got)
		}
	}
}
