package charset

import (
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
)

func TestDecode(t *testing.T) {
	tests := []struct{ label, in, want string }{
		{"utf-8", "Gr\xc3\xbc\xc3\x9fe", "Grüße"},
		{" \"UTF-8\" ", "\xff", "\ufffd"},
		{"iso-8859-1", "\x80\xfc", "€ü"},
		{"us-ascii", "\xfc", "ü"},
		{"ISO-8859-15", "\xa4", "€"},
		{"windows-1251", "\xcf\xf0", "Пр"},
		{"koi8-r", "\xf0\xd2", "Пр"},
		{"iso-2022-jp", "\x1b$BF|K\\\x1b(B", "日本"},
		{"cp932", "\x93\xfa\x96{", "日本"},
		{"gb2312", "\xc4\xe3", "你"},
		{"hz-gb-2312", "~{<:Ky2;QJ~}", "己所不咽"},
		{"cp850", "\x81", "ü"},
		{"utf-16be", "\x00a", "a"},
		{"big5", "\xa7A", "你"},
		{"ks_c_5601-1987", "\xb0\xa1", "가"},
	}
	for _, tt := range tests {
		if got, ok := Decode([]byte(tt.in), tt.label); !ok || got != tt.want {
			t.Errorf("%s %q: %q, %v, want %q", tt.label, tt.in, got, ok, tt.want)
		}
	}
	for _, label := range []string{"", "unknown-8bit", "x-none", "iso-2022-kr", "utf-7", "binary"} {
		if got, ok := Decode([]byte("x"), label); ok {
			t.Errorf("%q: %q", label, got)
		}
	}
}

func TestText(t *testing.T) {
	tests := []struct{ name, label, in, want string }{
		{"ASCII", "utf-16", "abc", "abc"},
		{"UTF-8 whatever the label", "iso-8859-1", "Grüße", "Grüße"},
		{"by the label", "windows-1251", "\xcf\xf0\xe8", "При"},
		{"the label cannot be", "utf-8", "Gr\xfc\xdfe", "Grüße"},
		{"nor this", "us-ascii", "na\xefve", "naïve"},
		{"no label", "", "caf\xe9", "café"},
		{"unknown label", "x-unknown", "caf\xe9", "café"},
	}
	for _, tt := range tests {
		if got := Text([]byte(tt.in), tt.label); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestDetect(t *testing.T) {
	tests := map[string][]string{
		"windows-1252": {
			"Grüße aus Köln", "Größe", "Déjà vu à Orléans", "España: ¿qué tal?", "Smörgåsbord", "naïve",
			"Über Öl", "€ 5,00", "“quoted” – and dashed", "Ação não é São Paulo", "Ü",
		},
		"windows-1251": {"Привет из Москвы", "Счёт на оплату", "ВНИМАНИЕ", "Re: Договор поставки", "Важное сообщение для клиентов"},
		"koi8-r":       {"Привет из Москвы", "Re: Договор поставки", "Важное сообщение для клиентов"},
		"shift_jis":    {"こんにちは世界", "お知らせ: ご注文の確認", "テスト", "重要なお知らせ"},
		"euc-jp":       {"こんにちは世界", "お知らせ: ご注文の確認", "テスト", "重要なお知らせ"},
		"euc-kr":       {"안녕하세요 세계", "주문 확인 안내", "대한민국"},
		"gb18030":      {"您好，世界", "订单确认通知", "中文邮件测试"},
		"big5":         {"您好，世界", "訂單確認通知", "中文郵件測試"},
	}
	for label, texts := range tests {
		e, err := htmlindex.Get(label)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			b, err := e.NewEncoder().Bytes([]byte(text))
			if err != nil {
				t.Fatal(label, text, err)
			}
			if got := Detect(b); got != label {
				t.Errorf("%s is read as %s: %q", label, got, Text(b, got))
			}
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("Gr\xfc\xdfe"), "utf-8")
	f.Add([]byte("\x1b$B\xff"), "iso-2022-jp")
	f.Add([]byte("\xa4\xb3\xa4"), "")
	f.Fuzz(func(t *testing.T, b []byte, label string) {
		if s := Text(b, label); !utf8.ValidString(s) {
			t.Fatalf("%q", s)
		}
		if s, _ := Decode(b, label); !utf8.ValidString(s) {
			t.Fatalf("%q", s)
		}
	})
}

// 12 µs for a subject of 60 bytes.
func BenchmarkDetect(b *testing.B) {
	e, _ := htmlindex.Get("windows-1251")
	text, _ := e.NewEncoder().Bytes([]byte("Важное сообщение для клиентов нашего магазина, прочтите это"))
	b.ReportAllocs()
	for b.Loop() {
		Detect(text)
	}
}
