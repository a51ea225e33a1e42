package extra

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func srsLibrary(Options) *value.Library {
	options := []value.Option{
		declare.Option(`string secret = ""`, "What nobody else knows; without it anybody can make addresses that are taken."),
		declare.Option("number hashlen = 4", "How many characters of the check stand in the address."),
		declare.Option("number time", "The Unix time; now unless it is given."),
	}
	return library([]*value.Builtin{
		declare.Function("srs_forward(string localpart, string domain, [array options]) string",
			"Returns the local part under which a domain of ours forwards mail of a sender, so that bounces find the way back (SRS). "+
				"An address that was rewritten by others before gets the form that leads past all but the first of them.",
			`echo srs_forward("joe", "example.com", ["secret" => "x", "time" => 1577836800]); // SRS0=NtD3=2W=example.com=joe`,
			srsForward, options...),
		declare.Function("srs_reverse(string localpart, [array options]) array or none",
			"Returns the address that srs_forward made a local part of: localpart and domain; or none if it made none, made it with another secret, or too long ago.",
			`echo srs_reverse("SRS0=NtD3=2W=example.com=joe", ["secret" => "x", "time" => 1577836800]); // ["localpart"=>"joe","domain"=>"example.com"]`,
			srsReverse, append(options, declare.Option("number maxage = 21", "Days that an address is good for."))...),
	})
}

// The forms of the Sender Rewriting Scheme as Mail::SRS writes them:
// SRS0=CHECK=DAY=DOMAIN=LOCAL, and SRS1=CHECK=HOST=REST for an address that HOST
// wrote as SRS0 and REST. Behind SRS0 and SRS1 may stand one of the other marks.
const (
	srsDirect  = "SRS0"
	srsAgain   = "SRS1"
	srsMarks   = "=+-"
	srsPeriod  = 1 << 10 // days until the count begins anew
	srsLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	day        = 24 * time.Hour
)

func srsForward(c *value.Call) (value.Value, error) {
	local, domain := c.Str(0), c.Str(1)
	if local == "" || domain == "" {
		return c.Args[0], nil // the null sender stays what it is
	}
	s := srsOf(c, 2)
	if rest, ok := srsCut(local, srsAgain); ok {
		if _, tail, ok := strings.Cut(rest[1:], "="); ok {
			if host, user, ok := strings.Cut(tail, "="); ok {
				return declare.Text(c, srsAgain+"="+s.check(host, user)+"="+host+"="+user)
			}
		}
	}
	if rest, ok := srsCut(local, srsDirect); ok {
		return declare.Text(c, srsAgain+"="+s.check(domain, rest)+"="+domain+"="+rest)
	}
	today := s.days()
	stamp := string([]byte{srsLetters[today>>5&31], srsLetters[today&31]})
	return declare.Text(c, srsDirect+"="+s.check(stamp, domain, local)+"="+stamp+"="+domain+"="+local)
}

func srsReverse(c *value.Call) (value.Value, error) {
	s := srsOf(c, 1)
	if rest, ok := srsCut(c.Str(0), srsAgain); ok {
		part := strings.SplitN(rest[1:], "=", 3)
		if len(part) == 3 && s.right(part[0], part[1], part[2]) {
			return srsAddress(c, srsDirect+part[2], part[1])
		}
	}
	if rest, ok := srsCut(c.Str(0), srsDirect); ok {
		part := strings.SplitN(rest[1:], "=", 4)
		if len(part) == 4 && s.right(part[0], part[1], part[2], part[3]) && s.recent(part[1], c.Options(1).Num("maxage")) {
			return srsAddress(c, part[3], part[2])
		}
	}
	return value.None, nil
}

func srsAddress(c *value.Call, local, domain string) (value.Value, error) {
	return declare.Array(c, value.Map("localpart", value.String(local), "domain", value.String(domain)))
}

// srsCut cuts a tag off that a mark follows, which stays.
func srsCut(local, tag string) (rest string, ok bool) {
	if len(local) <= len(tag) || !strings.EqualFold(local[:len(tag)], tag) || strings.IndexByte(srsMarks, local[len(tag)]) < 0 {
		return "", false
	}
	return local[len(tag):], true
}

// srs is what the options say.
type srs struct {
	secret string
	length int
	now    time.Time
}

func srsOf(c *value.Call, options int) srs {
	o := c.Options(options)
	s := srs{o.Str("secret"), min(max(o.Int("hashlen"), 1), 27), time.Now()}
	if o.Has("time") {
		s.now = time.Unix(int64(o.Int("time")), 0)
	}
	return s
}

func (s srs) days() int { return int(s.now.Unix()/int64(day/time.Second)) % srsPeriod }

// full returns all of the check of some texts, whose case does not count.
func (s srs) full(texts ...string) string {
	h := hmac.New(sha1.New, []byte(s.secret))
	for _, text := range texts {
		h.Write([]byte(strings.ToLower(text)))
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func (s srs) check(texts ...string) string { return s.full(texts...)[:s.length] }

// right compares a check that came in, on its way through systems that may have
// changed the case.
func (s srs) right(check string, texts ...string) bool {
	full := s.full(texts...)
	return len(check) >= s.length && len(check) <= len(full) &&
		hmac.Equal([]byte(strings.ToLower(check)), []byte(strings.ToLower(full[:len(check)])))
}

// recent reports whether a day is not longer ago than that.
func (s srs) recent(stamp string, most float64) bool {
	n := 0
	for i := range len(stamp) {
		digit := strings.IndexByte(srsLetters, stamp[i]&^0x20)
		if stamp[i] < 'A' {
			digit = strings.IndexByte(srsLetters, stamp[i])
		}
		if digit < 0 || len(stamp) != 2 {
			return false
		}
		n = n<<5 | digit
	}
	age := (s.days() - n + srsPeriod) % srsPeriod
	return len(stamp) == 2 && float64(age) <= most
}
