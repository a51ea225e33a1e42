package charset_test

import (
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/charset"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func TestConvert(t *testing.T) {
	l := value.NewLibrary(nil, value.Declarations{Classes: charset.Classes()})
	stdlibtest.New(t, l, value.Setup{}).Check(t, []stdlibtest.Case{
		{`Iconv("ISO-8859-1", "UTF-8")->convert("gr\xfc\xdf")`, `"grüß"`},
		{`Iconv("UTF-8", "ISO-8859-1")->convert("grüß")`, "\"gr\xfc\xdf\""},
		{`Iconv("utf-8", "UTF-16LE")->convert("aé")`, "''a\x00\xe9\x00''"},
		{`Iconv("Shift_JIS", "UTF-8")->convert("\x93\xfa\x96\x7b")`, `"日本"`},
		{`Iconv("ISO-2022-JP", "UTF-8")->convert("\x1b\x24BF|K\\\x1b(B")`, `"日本"`},
		{`Iconv("GB18030", "UTF-8")->convert("\xc4\xe3")`, `"你"`},
		{`Iconv("KOI8-R", "UTF-8")->convert("\xf0")`, `"П"`},
		{`Iconv("windows-1252", "UTF-8")->convert("\x80")`, `"€"`},
		{`Iconv("US-ASCII", "UTF-8")->convert("a\x80")`, `none`},
		{`Iconv("UTF-8", "UTF-8")->convert("a\xff")`, `none`},
		{`Iconv("UTF-8", "UTF-8//IGNORE")->convert("a\xffb")`, `"ab"`},
		{`Iconv("UTF-8", "ISO-8859-1")->convert("€")`, `none`},
		{`Iconv("UTF-8", "ISO-8859-1//IGNORE")->convert("1 €!")`, `"1 !"`},
		{`Iconv("UTF-8", "ISO-8859-1//TRANSLIT")->convert("1 € “ł” 漢")`, `''1 EUR "l" ?''`},
		{`Iconv("UTF-8", "US-ASCII//TRANSLIT")->convert("Ångström ﬁn")`, `"Angstrom fin"`},
		{`Iconv("UTF-8", "nonsense")`, `!Iconv: argument 2 (tocharset): want a character set, got "nonsense"`},
		{`Iconv("", "UTF-8")`, `!Iconv: argument 1 (fromcharset): want a character set, got ""`},
		{`Iconv("UTF-8", "UTF-8")->errno()`, `0`},
	})
}

func TestErrno(t *testing.T) {
	l := value.NewLibrary(nil, value.Declarations{Classes: charset.Classes()})
	m := stdlibtest.New(t, l, value.Setup{})
	o, err := m.Eval(`Iconv("UTF-8", "US-ASCII")`)
	if err != nil {
		t.Fatal(err)
	}
	m.Functions = map[string]func([]value.Value) (value.Value, error){"o": func([]value.Value) (value.Value, error) { return o, nil }}
	m.Check(t, []stdlibtest.Case{
		{`o()->convert("é")`, `none`},
		{`o()->errno()`, `84`},
		{`o()->convert("e")`, `"e"`},
		{`o()->errno()`, `0`},
		{`o()->close()`, `none`},
		{`o()->convert("e")`, `none`},
		{`o()->errno()`, `9`},
	})
}
