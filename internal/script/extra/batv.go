package extra

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func batvLibrary(Options) *value.Library {
	days := declare.Option("number days = 7", "Days that a tag is good for, at most 999.")
	return library([]*value.Builtin{
		declare.Function("batv_sign(string address, string key, [array options]) string",
			"Returns a sender's address with a tag that only those can make who have the key (BATV): a bounce to an address without it is none of mail of ours. "+
				"The null sender stays what it is.",
			`$a = batv_sign("joe@example.com", "secret", ["keyid" => 3]); echo length($a) . " " . $a[:6]; // 31 prvs=3`,
			batvSign, declare.Option("number keyid = 0", "The number of the key, 0 to 9."), days),
		declare.Function("batv_verify(string address, array keys, [array options]) string",
			"Returns what becomes of the tag of an address: pass, missing, invalid (malformed), checksum (made with another key, or none of that number) or expired. "+
				"Keys are by their number.",
			`echo batv_verify("prvs=3123abcdef=joe@example.com", [3 => "secret"]) . " " . batv_verify("joe@example.com", []); // checksum missing`,
			batvVerify, days),
		declare.Function("batv_strip(string address) string",
			"Returns the address without its tag; one without a tag as it is.",
			`echo batv_strip("prvs=3123abcdef=joe@example.com"); // joe@example.com`,
			func(c *value.Call) (value.Value, error) {
				if _, address, ok := cutTag(c.Str(0)); ok {
					return declare.Text(c, address)
				}
				return c.Args[0], nil
			}),
	})
}

// A tag is the number of its key, the last three digits of the day on which it
// ends, and six digits of the check (draft-levine-smtp-batv-01 §3).
const (
	batvMark  = "prvs="
	batvDays  = 1000
	batvCheck = 6
)

// cutTag parts an address into its tag and the rest.
func cutTag(address string) (tag, rest string, ok bool) {
	if len(address) < len(batvMark) || !strings.EqualFold(address[:len(batvMark)], batvMark) {
		return "", address, false
	}
	tag, rest, ok = strings.Cut(address[len(batvMark):], "=")
	return tag, rest, ok && rest != ""
}

func batvSign(c *value.Call) (value.Value, error) {
	o := c.Options(2)
	key, days := o.Int("keyid"), o.Int("days")
	switch {
	case c.Str(0) == "":
		return c.Args[0], nil
	case key < 0 || key > 9:
		return value.None, declare.UnwantedOption(c, "keyid", "0 to 9", o.Get("keyid"))
	case days < 0 || days >= batvDays:
		return value.None, declare.UnwantedOption(c, "days", "0 to 999", o.Get("days"))
	}
	head := fmt.Sprintf("%d%03d", key, (today()+days)%batvDays)
	return declare.Text(c, batvMark+head+batvSum(head, c.Str(0), c.Str(1))+"="+c.Str(0))
}

func today() int { return int(time.Now().Unix() / int64(day/time.Second)) }

func batvSum(head, address, key string) string {
	h := hmac.New(sha1.New, []byte(key))
	h.Write([]byte(head + address))
	return hex.EncodeToString(h.Sum(nil))[:batvCheck]
}

func batvVerify(c *value.Call) (value.Value, error) {
	tag, address, ok := cutTag(c.Str(0))
	if !ok {
		return value.String("missing"), nil
	}
	return value.String(batvResult(tag, address, c.Array(1), c.Options(2).Int("days"))), nil
}

func batvResult(tag, address string, keys *value.Array, days int) string {
	const head = 4
	if len(tag) != head+batvCheck {
		return "invalid"
	}
	ends, err := strconv.ParseUint(tag[1:head], 10, 16)
	if _, malformed := strconv.ParseUint(tag[head:], 16, 32); err != nil || malformed != nil || tag[0] < '0' || tag[0] > '9' {
		return "invalid"
	}
	key, ok := keys.Get(value.Int(int(tag[0] - '0')))
	if !ok || !hmac.Equal([]byte(strings.ToLower(tag[head:])), []byte(batvSum(tag[:head], address, key.Text()))) {
		return "checksum"
	}
	if left := (int(ends) - today()%batvDays + batvDays) % batvDays; left > days {
		return "expired"
	}
	return "pass"
}
