package dsn

import (
	"bytes"
	"io"
	"strings"
	"testing"

	gomessage "github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"
	"github.com/emersion/go-message/mail"
)

// TestAnotherImplementationAgrees reads every golden report with go-message,
// which decodes transfer encodings and charsets on its own.
func TestAnotherImplementationAgrees(t *testing.T) {
	for name, r := range golden {
		t.Run(name, func(t *testing.T) {
			_, b := render(t, r)
			e, err := gomessage.Read(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			header := mail.Header{Header: e.Header}
			to, err := header.AddressList("To")
			if err != nil || len(to) != 1 {
				t.Fatalf("To %v, %v", to, err)
			}
			if date, err := header.Date(); err != nil || !date.Equal(r.Date) {
				t.Errorf("date %v, %v", date, err)
			}
			subject, err := header.Subject()
			if want := strings.TrimSpace(r.Options.SubjectPrepend + " " + subjects[r.Kind]); err != nil || subject != want {
				t.Errorf("subject %q, %v, want %q", subject, err, want)
			}
			texts := leaves(t, e)
			for i, v := range r.Recipients {
				if len(r.Options.Readable) == 0 && !strings.Contains(texts[0], v.Address.String()) {
					t.Errorf("recipient %d is not in %q", i, texts[0])
				}
			}
			if got := strings.Count(texts[1], "Final-Recipient: "); got != len(r.Recipients) {
				t.Errorf("%d recipients in %q", got, texts[1])
			}
		})
	}
}

// leaves returns the decoded bodies of the parts of e.
func leaves(t *testing.T, e *gomessage.Entity) (texts []string) {
	t.Helper()
	for in := e.MultipartReader(); ; {
		p, err := in.NextPart()
		if err == io.EOF {
			return texts
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
}
