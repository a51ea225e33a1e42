package build

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gomessage "github.com/emersion/go-message"

	"github.com/posthaste-mta/posthaste/internal/message/field"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
)

var update = flag.Bool("update", false, "write the golden files anew")

const german = "Viele Grüße aus Köln am Rhein,\nwo die Sonne scheint und es sich leben lässt.\n"

// golden are the messages of which a file is kept.
var golden = map[string]func(t testing.TB) part{
	"empty": func(t testing.TB) part { return newPart(t) },
	"plain": func(t testing.TB) part {
		p := newPart(t).header("From", "Jörg <joerg@example.com>").header("To", "jane@example.org").header("Subject", "Hello").body("Hello World")
		p.SetDate(fixed)
		return p
	},
	"quoted": func(t testing.TB) part { return newPart(t).header("Subject", "Grüße aus Köln").body(german) },
	"base64": func(t testing.TB) part {
		return newPart(t).headerAs("Subject", "Привет", field.B).body("Привет из Москвы\n")
	},
	"html": func(t testing.TB) part {
		return newPart(t).kind("text/html; charset=iso-8859-1").body("<p>" + strings.Repeat("long ", 40) + "</p>")
	},
	"binary": func(t testing.TB) part { return newPart(t).kind("application/octet-stream").body("\x00\x01\xfe\xff") },
	"alternative": func(t testing.TB) part {
		return newPart(t).header("Subject", "both").kind("multipart/alternative").boundary("b").with(
			newPart(t).body("plain"), newPart(t).kind("text/html").body("<b>html</b>"))
	},
	"attachment": func(t testing.TB) part {
		pdf := newPart(t).kind("application/pdf").file("Rechnung für März.pdf").body("%PDF-1.4\n\x00\xff\xff\xff")
		picture := newPart(t).kind("image/png").header("Content-ID", "<1@example.com>").file("a b.png").body("\x89PNG\r\n\x1a\n")
		picture.SetDisposition("inline")
		return newPart(t).header("Subject", "with files").boundary("outer").body("For old programs.\n").with(
			newPart(t).kind("multipart/related").boundary("inner").with(newPart(t).kind("text/html").body("<img src=\"cid:1@example.com\">\n"), picture), pdf)
	},
	"own-encoding": func(t testing.TB) part {
		return newPart(t).header("Content-Transfer-Encoding", "7bit").body("as it is\r\n")
	},
	"own-type": func(t testing.TB) part {
		return newPart(t).kind("text/plain").header("Content-Type", "text/x-own").body("x")
	},
	"own-multipart": func(t testing.TB) part {
		return newPart(t).header("Content-Type", "multipart/report; report-type=delivery-status").boundary("b").with(newPart(t).body("x"))
	},
	"declared-boundary": func(t testing.TB) part {
		return newPart(t).kind("multipart/mixed; boundary=own").with(newPart(t).body("x"))
	},
	"message": func(t testing.TB) part {
		return newPart(t).kind("multipart/digest").boundary("b").with(
			newPart(t).kind("message/rfc822").body("Subject: Grüße\n\nbody\n"),
			newPart(t).kind("message/delivery-status").body("Action: failed\n"))
	},
	"eight-bits": func(t testing.TB) part {
		return newPart(t).boundary("b").with(newPart(t).body("x"),
			newPart(t).boundary("i").with(newPart(t).header("Content-Transfer-Encoding", "8bit").body("ü\r\n")))
	},
	"raw-multipart": func(t testing.TB) part {
		return newPart(t).kind("multipart/mixed; boundary=x").body("--x\n\nmade by hand\n--x--\n")
	},
	"delimiter-in-body": func(t testing.TB) part {
		return newPart(t).boundary("b").with(newPart(t).body("--b\nnot a part\n"))
	},
	"long-name": func(t testing.TB) part { return newPart(t).file(strings.Repeat("Übergröße ", 8) + ".txt").body("x") },
	"own-version": func(t testing.TB) part {
		p := newPart(t).header("MIME-Version", "1.0 (mine)").header("Date", "yesterday").header("Content-Disposition", "inline").file("x").body("x")
		p.SetDate(fixed)
		return p
	},
}

func TestGolden(t *testing.T) {
	for name, make := range golden {
		t.Run(name, func(t *testing.T) {
			got := make(t).bytes()
			file := filepath.Join("testdata", name+".eml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v\n%s\nwant\n%s", err, got, want)
			}
		})
	}
}

// TestOthersAgree lets the standard library, go-message and our own index read
// the golden messages.
func TestOthersAgree(t *testing.T) {
	for name, make := range golden {
		t.Run(name, func(t *testing.T) {
			raw := make(t).bytes()
			if _, err := mail.ReadMessage(bytes.NewReader(raw)); err != nil {
				t.Error(err)
			}
			e, err := gomessage.Read(bytes.NewReader(raw))
			if err != nil && !gomessage.IsUnknownCharset(err) {
				t.Fatal(err)
			}
			theirs, ours := otherLeaves(t, e), leaves(t, mime.NewBytes(raw).Root())
			if theirs != ours {
				t.Errorf("ours %s\ntheirs %s", ours, theirs)
			}
		})
	}
}

func leaves(t testing.TB, p *mime.Part) string {
	if errs := p.Errors(); len(errs) > 0 {
		t.Errorf("%s: %v", p.ID(), errs)
	}
	if len(p.Parts()) == 0 {
		body, err := p.Content(true, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		kind, declared := p.Type()
		if !declared {
			kind = "text/plain"
		}
		name, _ := p.FileName()
		return fmt.Sprintf("%s %q %q; ", kind, name, body)
	}
	all := ""
	for _, c := range p.Parts() {
		all += leaves(t, c)
	}
	return all
}

func otherLeaves(t testing.TB, e *gomessage.Entity) (all string) {
	if r := e.MultipartReader(); r != nil {
		for {
			part, err := r.NextPart()
			if errors.Is(err, io.EOF) {
				return all
			} else if err != nil && !gomessage.IsUnknownCharset(err) {
				t.Fatal(err)
			}
			all += otherLeaves(t, part)
		}
	}
	kind, _, _ := e.Header.ContentType()
	_, params, _ := e.Header.ContentDisposition()
	body, err := io.ReadAll(e.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %q %q; ", kind, params["filename"], body)
}
