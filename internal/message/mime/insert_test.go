package mime

import (
	"errors"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/message/field"
)

func TestRemoveAndReplace(t *testing.T) {
	const three = head + "pre\n--b\n\none\n--b\n\ntwo\n\n--b\nA: b\n--b--\nepi\n"
	const open = head + "--b\n\none\n--b\n\ntwo\n--b\n\nthree\n"
	remove := func(list ...string) func(*testing.T, *Part) {
		return func(t *testing.T, p *Part) {
			for _, id := range list {
				ok(t, p.ByID(id).Remove())
			}
		}
	}
	tests := []struct {
		name, in string
		edit     func(t *testing.T, p *Part)
		want     string
	}{
		{"first", three, remove("1"), head + "pre\n--b\n\ntwo\n\n--b\nA: b\n--b--\nepi\n"},
		{"middle", three, remove("2"), head + "pre\n--b\n\none\n--b\nA: b\n--b--\nepi\n"},
		{"last", three, remove("3"), head + "pre\n--b\n\none\n--b\n\ntwo\n\n--b--\nepi\n"},
		{"two", three, remove("3", "2"), head + "pre\n--b\n\none\n--b--\nepi\n"},
		{"all", three, remove("1", "2", "3"), head + "pre\n--b\n\n\n--b--\nepi\n"},
		{"last of the unclosed", open, remove("3"), head + "--b\n\none\n--b\n\ntwo"},
		{"two of the unclosed", open, remove("2", "3"), head + "--b\n\none"},
		{"first of the unclosed", open, remove("1"), head + "--b\n\ntwo\n--b\n\nthree\n"},
		{"all of the unclosed", open, remove("1", "2", "3"), head + "\n--b\n\n\n--b--\n"},
		{"nested", mixed, remove("1.1", "2"), "Subject: x\n" + head + "preamble\n\n--b\nContent-Type: multipart/alternative; boundary=\"i\"\n\n" +
			"--i\nContent-Type: text/html\n\n<b>html</b>\n--i--\n" +
			"--b\nContent-Type: Text/Plain\nContent-Disposition: attachment; filename=b.TXT\n\nb\n--b--\nepilogue\n"},
		{"gone", mixed, func(t *testing.T, p *Part) {
			ok(t, p.ByID("1.1").SetBody("x", ""))
			remove("1")(t, p)
			for _, err := range []error{
				p.ByID("1").Remove(), p.ByID("1").ReplacePart(extra), p.ByID("1").AppendPart(extra, ""),
				p.ByID("1.1").AddHeader("A", "b", field.Q), p.ByID("1.1").SetBody("x", ""), p.ByID("1").SetPreamble("x"),
			} {
				if !errors.Is(err, ErrGone) {
					t.Error(err)
				}
			}
			if p.ByID("1").DelHeader("Content-Type", All) != 0 {
				t.Error("a header was deleted")
			}
			remove("2")(t, p)
		}, "Subject: x\n" + head + "preamble\n\n--b\nContent-Type: Text/Plain\nContent-Disposition: attachment; filename=b.TXT\n\nb\n--b--\nepilogue\n"},
		{"replace", three, func(t *testing.T, p *Part) {
			ok(t, p.ByID("2").ReplacePart(entity("A: b\n\nold")))
			ok(t, p.ByID("2").ReplacePart(extra))
			if err := p.ByID("2").SetBody("x", ""); !errors.Is(err, ErrGone) {
				t.Error(err)
			}
		}, head + "pre\n--b\n\none\n--b\nContent-Type: x/y\n\nextra\n--b\nA: b\n--b--\nepi\n"},
		{"replace an empty part", three, func(t *testing.T, p *Part) { ok(t, p.ByID("3").ReplacePart(extra)) },
			head + "pre\n--b\n\none\n--b\n\ntwo\n\n--b\nContent-Type: x/y\n\nextra\n--b--\nepi\n"},
		{"replace by another part", mixed, func(t *testing.T, p *Part) { ok(t, p.ByID("1").ReplacePart(p.ByID("1.2"))) },
			strings.Replace(mixed, mixed[strings.Index(mixed, "Content-Type: multipart/alt"):strings.Index(mixed, "--i--\n")+6],
				"Content-Type: text/html\n\n<b>html</b>\n", 1)},
		{"replace the whole", "Subject: x\nContent-Type: text/html\nX: y\n\nold\n", func(t *testing.T, p *Part) {
			ok(t, p.ReplacePart(entity("Content-Type: x/y\nSubject: none\nContent-Transfer-Encoding: base64\n\naGk=\n")))
		}, "Subject: x\nX: y\nContent-Type: x/y\nContent-Transfer-Encoding: base64\nMIME-Version: 1.0\n\naGk=\n"},
		{"replace the whole by a part of it", mixed, func(t *testing.T, p *Part) { ok(t, p.ReplacePart(p.ByID("1.2"))) },
			"Subject: x\nContent-Type: text/html\nMIME-Version: 1.0\n\n<b>html</b>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := NewBytes([]byte(crlfs(tt.in)))
			tt.edit(t, m.Root())
			if got := edited(t, m); got != tt.want {
				t.Errorf("%q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestInsert(t *testing.T) {
	const plain = "Received: x\nContent-Type: text/plain;\n charset=utf-8\nSubject: y\nContent-Language: en\n\nbody\n"
	const one, two = entity("\none"), entity("Content-Type: a/b\n\ntwo")
	signed := `multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256`
	tests := []struct {
		name, in string
		edit     func(t *testing.T, p *Part)
		want     string
	}{
		{"around the whole", plain, func(t *testing.T, p *Part) { ok(t, p.AppendPart(one, "")) },
			"Received: x\nSubject: y\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B1\n\n" +
				"--B1\nContent-Type: text/plain;\n charset=utf-8\nContent-Language: en\n\nbody\n\n--B1\n\none\n--B1--\n"},
		{"both sides, twice", plain, func(t *testing.T, p *Part) {
			ok(t, p.AppendPart(one, ""))
			ok(t, p.AppendPart(two, ""))
			ok(t, p.PrependPart(one, "multipart/mixed"))
			ok(t, p.PrependPart(two, "Multipart/Mixed"))
		}, "Received: x\nSubject: y\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B1\n\n" +
			"--B1\nContent-Type: a/b\n\ntwo\n--B1\n\none\n" +
			"--B1\nContent-Type: text/plain;\n charset=utf-8\nContent-Language: en\n\nbody\n\n--B1\n\none\n--B1\nContent-Type: a/b\n\ntwo\n--B1--\n"},
		{"signed", "MIME-Version: 1.0\n" + mixed, func(t *testing.T, p *Part) { ok(t, p.AppendPart(one, signed)) },
			"MIME-Version: 1.0\nSubject: x\nContent-Type: multipart/signed; protocol=\"application/pkcs7-signature\";\n" +
				" micalg=sha-256; boundary=B1\n\n--B1\n" + strings.TrimPrefix(mixed, "Subject: x\n") + "\n--B1\n\none\n--B1--\n"},
		{"with its boundary", "MIME-Version: 1.0\n\nx\n", func(t *testing.T, p *Part) { ok(t, p.AppendPart(one, "multipart/related; boundary=own")) },
			"MIME-Version: 1.0\nContent-Type: multipart/related; boundary=own\n\n--own\n\nx\n\n--own\n\none\n--own--\n"},
		{"eight bits", "MIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\n\nü\n", func(t *testing.T, p *Part) {
			ok(t, p.AppendPart(one, "multipart/related; boundary=x"))
			ok(t, p.AppendPart(one, "multipart/mixed; boundary=y"))
		}, "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=y\nContent-Transfer-Encoding: 8bit\n\n" +
			"--y\nContent-Type: multipart/related; boundary=x\nContent-Transfer-Encoding: 8bit\n\n" +
			"--x\nContent-Transfer-Encoding: 8bit\n\nü\n\n--x\n\none\n--x--\n--y\n\none\n--y--\n"},
		{"eight bits beside the part", "MIME-Version: 1.0\n\nx", func(t *testing.T, p *Part) {
			ok(t, p.PrependPart(entity("Content-Transfer-Encoding: 8bit\n\nü"), "multipart/mixed; boundary=y"))
		}, "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=y\nContent-Transfer-Encoding: 8bit\n\n" +
			"--y\nContent-Transfer-Encoding: 8bit\n\nü\n--y\n\nx\n--y--\n"},
		{"two layers", "MIME-Version: 1.0\n\nx", func(t *testing.T, p *Part) {
			ok(t, p.AppendPart(one, "multipart/alternative"))
			ok(t, p.PrependPart(two, ""))
			ok(t, p.SetBody("y", ""))
			ok(t, p.AddHeader("Subject", "z", field.Q))
			must[int](t)(p.SetHeader("Content-Type", "text/plain", All, field.Q))
		}, "Subject: z\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B1\n\n--B1\nContent-Type: a/b\n\ntwo\n" +
			"--B1\nContent-Type: multipart/alternative;\n boundary=B2\n\n--B2\nContent-Type: text/plain\n\ny\n--B2\n\none\n--B2--\n--B1--\n"},
		{"around the whole without a body", "Content-Language: en", func(t *testing.T, p *Part) { ok(t, p.AppendPart(one, "")) },
			"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B1\n\n--B1\nContent-Language: en\n\n\n--B1\n\none\n--B1--\n"},
		{"around an unended header", "A: b", func(t *testing.T, p *Part) { ok(t, p.AppendPart(one, "")) },
			"A: b\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B1\n\n--B1\n\n\n--B1\n\none\n--B1--\n"},
		{"among the parts", mixed, func(t *testing.T, p *Part) {
			ok(t, p.AppendPart(one, ""))
			ok(t, p.AppendPart(two, ""))
			ok(t, p.PrependPart(one, ""))
			ok(t, p.PrependPart(two, ""))
		}, strings.NewReplacer("preamble\n\n", "preamble\n\n--b\nContent-Type: a/b\n\ntwo\n--b\n\none\n",
			"\n--b--", "\n--b\n\none\n--b\nContent-Type: a/b\n\ntwo\n--b--").Replace(mixed)},
		{"beside a part", mixed, func(t *testing.T, p *Part) {
			ok(t, p.ByID("2").AppendPart(one, ""))
			ok(t, p.ByID("2").PrependPart(two, ""))
		}, strings.NewReplacer("--b\nContent-Type: application/pdf", "--b\nContent-Type: a/b\n\ntwo\n--b\nContent-Type: application/pdf",
			"bG8=\n", "bG8=\n--b\n\none\n").Replace(mixed)},
		{"around a part", mixed, func(t *testing.T, p *Part) { ok(t, p.ByID("1.1").AppendPart(one, "")) },
			strings.Replace(mixed, "--i\nContent-Type: text/plain\n\nplain",
				"--i\nContent-Type: multipart/mixed; boundary=B1\n\n--B1\nContent-Type: text/plain\n\nplain\n--B1\n\none\n--B1--", 1)},
		{"beside a part that goes", mixed, func(t *testing.T, p *Part) {
			ok(t, p.ByID("2").AppendPart(one, ""))
			ok(t, p.ByID("2").PrependPart(two, ""))
			ok(t, p.ByID("2").Remove())
			ok(t, p.ByID("1").Remove())
			ok(t, p.ByID("3").Remove())
		}, "Subject: x\n" + head + "preamble\n\n--b\nContent-Type: a/b\n\ntwo\n--b\n\none\n--b--\nepilogue\n"},
		{"around and instead", mixed, func(t *testing.T, p *Part) {
			ok(t, p.ByID("1.1").AppendPart(one, ""))
			ok(t, p.ByID("1.1").ReplacePart(two))
		}, strings.Replace(mixed, "--i\nContent-Type: text/plain\n\nplain",
			"--i\nContent-Type: multipart/mixed; boundary=B1\n\n--B1\nContent-Type: a/b\n\ntwo\n--B1\n\none\n--B1--", 1)},
		{"into the unclosed", head + "--b\n\nx\n", func(t *testing.T, p *Part) {
			ok(t, p.AppendPart(one, ""))
			ok(t, p.PrependPart(two, ""))
		}, head + "--b\nContent-Type: a/b\n\ntwo\n--b\n\nx\n\n--b\n\none\n--b--\n"},
		{"into one without parts", head + "x", func(t *testing.T, p *Part) { ok(t, p.PrependPart(one, "")) },
			head + "x\n--b\n\none\n--b--\n"},
		{"beside an empty part", head + "--b\n--b\nA: b\n--b--\n", func(t *testing.T, p *Part) {
			ok(t, p.ByID("1").AppendPart(one, ""))
			ok(t, p.ByID("2").AppendPart(two, ""))
		}, head + "--b\n\n--b\n\none\n--b\nA: b\n\n--b\nContent-Type: a/b\n\ntwo\n--b--\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := NewBytes([]byte(crlfs(tt.in)))
			tt.edit(t, m.Root())
			if got := edited(t, m); got != tt.want {
				t.Errorf("%q\nwant %q", got, tt.want)
			}
		})
	}
}
