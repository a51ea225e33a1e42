package digest_test

import (
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/digest"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func machine(t *testing.T) *stdlibtest.Machine {
	return stdlibtest.New(t, value.NewLibrary(nil, value.Declarations{Builtins: digest.Builtins()}), value.Setup{})
}

func TestDigests(t *testing.T) {
	machine(t).Check(t, []stdlibtest.Case{
		{`md5("")`, `"d41d8cd98f00b204e9800998ecf8427e"`},
		{`md5("", ["binary" => true])`, `''` + "\xd4\x1d\x8c\xd9\x8f\x00\xb2\x04\xe9\x80\t\x98\xec\xf8B~" + `''`},
		{`sha1("abc", ["binary" => none])`, `"a9993e364706816aba3e25717850c26c9cd0d89d"`},
		{`sha2("abc", 384)`, `!sha2: argument 2 (hashsize): want 256 or 512, got 384`},
		{`hmac_sha2("k", "m", "256")`, `"b60090e3052297aeb5a080889ce2fc4bca957e756faeb4df7d31800ca1e771ec"`},
		{`hash("")`, `2166136261`},
		{`md5(12)`, `"c20ad4d76fe97759aa27a0c99bff6710"`},
		{`md5("x", ["binary" => md5])`, `!md5: option binary: want boolean, got function`},
	})
}

// TestCrypt: results of the C library, as PHP gives them.
func TestCrypt(t *testing.T) {
	machine(t).Check(t, []stdlibtest.Case{
		{`crypt("secret", "ab")`, `"abNANd1rDfiNc"`},
		{`crypt("", "..")`, `"..X8NBuQ4l6uQ"`},
		{`crypt("longer than eight", "zZ")`, `"zZb64kacvY9KA"`},
		{`crypt("secret", "\$1\$saltsalt\$")`, `''$1$saltsalt$9xy1btjgzLYfb7hivXtC//''`},
		{`crypt("", "\$1\$x")`, `''$1$x$fwjfZtMwarkdetsjiQreU1''`},
		{`crypt("long password long password long password long password long password ", "\$1\$abcdefghijk")`, `''$1$abcdefgh$nDFiGdh/OFIAq64JJqA79/''`},
		{`crypt("secret", "\$5\$saltstring")`, `''$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.''`},
		{
			`crypt("long password long password long password long password long password long password long password long password long password long password ", "\$5\$rounds=1400\$anotherlongsaltstring")`,
			`''$5$rounds=1400$anotherlongsalts$gGT5s7k42p.psCt4cmDlSliN1agIFpmS95G/HXyndt0''`,
		},
		{`crypt("secret", "\$6\$saltstring")`, `''$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.''`},
		{`crypt("secret", "\$2y\$04\$abcdefghijklmnopqrstuu")`, `''$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW''`},
		{
			`crypt("01234567890123456789012345678901234567890123456789012345678901234567890123456789", "\$2b\$05\$abcdefghijklmnopqrstuv")`,
			`''$2b$05$abcdefghijklmnopqrstuuLkMZtUsVwf9Ptg/wgiNv8ZhtnAHnix.''`,
		},
		// A whole hash is a salt.
		{`crypt("secret", crypt("secret", "\$6\$saltstring"))`, `''$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.''`},
		{`crypt("x", "\$9\$x")`, `"*0"`},
		{`crypt("x", "a")`, `"*0"`},
		{`crypt("x", "")`, `"*0"`},
		{`crypt("` + strings.Repeat("x", 513) + `", "ab")`, `"*0"`},
		{`crypt("x", "a:")`, `"*0"`},
		{`crypt("x", "\$2y\$03\$abcdefghijklmnopqrstuu")`, `"*0"`},
		{`crypt("x", "\$2y\$04\$tooshort")`, `"*0"`},
		{`crypt("x", "\$2x\$04\$abcdefghijklmnopqrstuu")`, `"*0"`},
	})
}

// TestCryptStops: a salt may ask for hours of work, which the script has to pay.
func TestCryptStops(t *testing.T) {
	l := value.NewLibrary(nil, value.Declarations{Builtins: digest.Builtins()})
	m := stdlibtest.New(t, l, value.Setup{Limits: value.Limits{Instructions: 1 << 20}})
	for _, salt := range []string{`\$6\$rounds=999999999\$x`, `\$2b\$31\$abcdefghijklmnopqrstuv`} {
		if got := m.Show(`crypt("x", "` + salt + `")`); got != "!script exceeded its instructions limit of 1048576" {
			t.Errorf("crypt with %s: %s", salt, got)
		}
	}
}
