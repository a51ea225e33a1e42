package sink

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// maxReplyLine keeps an injected reply within RFC 5321 §4.5.3.1.5 (512 octets
// with code and CRLF), less room for an enhanced code.
const maxReplyLine = 490

// parseReply reads "451 4.7.1 slow down"; "\n" written as two characters parts
// the lines of a longer reply.
func parseReply(text string) (smtp.Reply, error) {
	code, rest := cutField(text)
	n, err := strconv.ParseUint(code, 10, 16)
	if err != nil || len(code) != 3 || n < 200 || n > 599 {
		return smtp.Reply{}, fmt.Errorf("want a reply such as \"451 4.7.1 slow down\", got %q", text)
	}
	r := smtp.Reply{Code: int(n)}
	word, more := cutField(rest)
	if e, ok := smtp.ParseEnhanced(word); ok && e[0] == uint16(n/100) {
		r.Enhanced, rest = e, more
	}
	r.Lines = strings.Split(rest, `\n`)
	for _, line := range r.Lines {
		if len(line) > maxReplyLine || strings.ContainsFunc(line, isControl) {
			return smtp.Reply{}, fmt.Errorf("line of reply is too long or has control characters: %.60q", line)
		}
	}
	return r, nil
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

// replyText is the one-line form that parseReply reads.
func replyText(r smtp.Reply) string {
	text := strconv.Itoa(r.Code)
	if !r.Enhanced.IsZero() {
		text += " " + r.Enhanced.String()
	}
	return strings.TrimRight(text+" "+strings.Join(r.Lines, `\n`), " ")
}
