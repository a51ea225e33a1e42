package extra

import (
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// FuzzTags: addresses that strangers write are parted without harm, and no tag is
// taken that was not made with the key.
func FuzzTags(f *testing.F) {
	f.Add("prvs=0123abcdef=joe@example.com")
	f.Add("SRS0=NtD3=2W=example.com=joe")
	f.Add("SRS1=NtD3=example.org==HHHH=2W=example.com=joe")
	f.Fuzz(func(t *testing.T, text string) {
		if tag, rest, ok := cutTag(text); ok {
			if !strings.EqualFold(batvMark+tag+"="+rest, text) {
				t.Errorf("%q: %q %q", text, tag, rest)
			}
			if r := batvResult(tag, rest, value.NewArray(0), 7); r != "invalid" && r != "checksum" {
				t.Errorf("%q is %s without a key", text, r)
			}
		}
		s := srs{"a secret that is not guessed", 27, time.Unix(1577836800, 0)}
		for _, tag := range []string{srsDirect, srsAgain} {
			if rest, ok := srsCut(text, tag); ok {
				part := strings.SplitN(rest[1:], "=", 4)
				if len(part) == 4 && s.right(part[0], part[1:]...) {
					t.Errorf("%q is taken", text)
				}
				for _, p := range part {
					_ = s.recent(p, 21)
				}
			}
		}
	})
}
