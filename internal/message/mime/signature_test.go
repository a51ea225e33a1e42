package mime

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/posthaste-mta/posthaste/internal/message/field"
)

// TestSignaturesSurvive signs messages with odd line ends, folds and spaces in
// the strictest form, edits what is not signed, and lets another implementation
// verify.
func TestSignaturesSurvive(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(b []byte) error {
		results, err := dkim.VerifyWithOptions(bytes.NewReader(b), &dkim.VerifyOptions{
			LookupTXT: func(string) ([]string, error) {
				return []string{"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)}, nil
			},
		})
		if err != nil || len(results) != 1 {
			t.Fatal(results, err)
		}
		return results[0].Err
	}
	for name, text := range map[string]string{
		"mixed":      "From: joe@example.com\nX-Odd :  a\n\t b \n" + mixed,
		"unclosed":   "From: joe@example.com\nSubject:x\n" + head + "--b\n\n two  spaces \n\n\n",
		"bad header": "From: joe@example.com\nSubject: x\nMIME-Version: 1.0\nrubbish\n\nbody\n",
	} {
		var signed bytes.Buffer
		if err := dkim.Sign(&signed, bytes.NewReader([]byte(crlfs(text))), &dkim.SignOptions{
			Domain: "example.com", Selector: "s", Signer: private, HeaderKeys: []string{"From", "Subject", "X-Odd"},
			HeaderCanonicalization: dkim.CanonicalizationSimple, BodyCanonicalization: dkim.CanonicalizationSimple,
		}); err != nil {
			t.Errorf("%s: not signed: %v", name, err)
			continue
		}
		m := NewBytes(signed.Bytes())
		root := m.Root()
		ok(t, root.AddHeader("Received", "from a\r\n\tby b", field.Verbatim))
		must[int](t)(root.SetHeader("X-Spam", "nö", All, field.Q))
		must[int](t)(root.RenameHeader("MIME-Version", "Mime-Version"))
		must[int](t)(root.SetDateLater())
		b, err := m.Bytes(fixed, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(b); err != nil {
			t.Errorf("%s: %v\n%s", name, err, b)
		}
		must[int](t)(root.SetHeader("Subject", "another", All, field.Q))
		if b, err = m.Bytes(fixed, 1<<20); err != nil || verify(b) == nil {
			t.Errorf("%s: an edit of what is signed is not noticed, %v", name, err)
		}
	}
}
