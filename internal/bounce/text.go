package bounce

import (
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
	"github.com/posthaste-mta/posthaste/internal/message/report"
)

// header is what is needed of the header of the message before.
type header map[string][]string

// headerOf reads a header block as far as it is one.
func headerOf(block []byte) header {
	h := header{}
	for f := range message.Fields(block) {
		name := strings.ToLower(strings.TrimSpace(string(f.Name)))
		switch name {
		case "message-id", "return-path", "from", "to", "delivered-to", "x-original-to", "x-hmxmroriginalrecipient":
			h[name] = append(h[name], strings.TrimSpace(string(f.AppendUnfolded(nil))))
		}
	}
	return h
}

// values are those of the first name that has some.
func (h header) values(names ...string) []string {
	for _, n := range names {
		if len(h[n]) > 0 {
			return h[n]
		}
	}
	return nil
}

func (h header) id() string { return strings.Trim(first(h["message-id"]), "<> ") }

// Words that tell a report in the field From or Subject, in lower case.
var (
	reporters = []string{"mailer-daemon", "postmaster", "mail delivery", "maildelivery", "mail administrator", "mail system", "mdaemon", "mail-daemon"}
	subjects  = []string{
		"undeliver", "returned mail", "delivery status", "delivery fail", "failure notice", "delivery notification", "could not be delivered", "not delivered",
		"non-delivery", "nondeliverable", "mail system error", "returning message", "rejected", "delivery problem", "mail failure", "message delayed", "delivery delayed",
		"unable to deliver", "problems delivering", "delivery report", "bounce", "unzustellbar", "returned to sender",
	}
)

// readText reads a report in words for people.
func readText(m *mime.Message) (*Report, bool) {
	root := m.Root()
	get := func(name string) string { v, _ := root.Header(name, 0, mime.Text); return strings.ToLower(v) }
	from, subject, automatic := get("from"), get("subject"), get("auto-submitted")
	failed := headerAddresses(root, "x-failed-recipients")
	if !containsAny(from, reporters) && isAnswer(root, automatic, subject) {
		return &Report{Kind: AutoReply, Recipients: []Recipient{{Address: bare(from)}}, MessageID: strings.Trim(get("in-reply-to"), "<> ")}, true
	}
	if len(failed) == 0 && !containsAny(from, reporters) && !containsAny(subject, subjects) {
		return nil, false
	}
	said, quoted := cut(bodyOf(m))
	r := &Report{Kind: Bounce}
	block, _ := report.OriginalOf(m).Header(maxHeader)
	if r.fill(headerOf(block)); r.MessageID == "" {
		r.fill(headerOf([]byte(quoted)))
	}
	if i := strings.Index(strings.ToLower(said), "following recipient"); i >= 0 {
		said = said[i:] // before that the message is described
	}
	if len(failed) == 0 {
		failed = addresses(said, isSystem, bare(get("to")), bare(from), r.Sender)
	}
	if len(failed) == 0 { // then it may be one of these
		failed = addresses(said, func(string) bool { return false })
	}
	failed = failed[:min(len(failed), maxRecipients)]
	for i, text := range sections(said, failed) {
		r.Recipients = append(r.Recipients, Recipient{Address: failed[i], Action: "failed", Reply: Reply{Text: limited(clip(text))}})
	}
	if strings.Contains(subject, "delay") || strings.Contains(subject, "warning") {
		r.Kind = Delay
	}
	return r, len(r.Recipients) > 0
}

// isAnswer reports whether a message is an answer of somebody's mailbox, such as
// that he is on holiday (RFC 3834 §5).
func isAnswer(root *mime.Part, automatic, subject string) bool {
	if strings.HasPrefix(automatic, "auto-replied") {
		return !containsAny(subject, subjects)
	}
	for _, name := range []string{"x-autoreply", "x-autorespond", "x-auto-response-suppress"} {
		if _, ok := root.Header(name, 0, mime.Text); ok && containsAny(subject, []string{"auto", "out of office", "vacation", "absen"}) {
			return true
		}
	}
	return strings.HasPrefix(subject, "auto:") || strings.HasPrefix(subject, "out of office") || strings.HasPrefix(subject, "automatic reply")
}

func containsAny(text string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

func headerAddresses(root *mime.Part, name string) (all []string) {
	for _, v := range root.Headers(name, mime.Unfolded) {
		for a := range strings.SplitSeq(v, ",") {
			if a = bare(a); a != "" {
				all = append(all, a)
			}
		}
	}
	return all
}

// bodyOf is the text for people that a message holds.
func bodyOf(m *mime.Message) string {
	p := m.Root()
	isText := func(kind string) bool { return strings.HasPrefix(kind, "text/plain") }
	if found := p.FindByType(isText); len(found) > 0 {
		p = found[0]
	}
	text, err := p.Content(true, maxBody)
	if err != nil {
		return ""
	}
	return string(text)
}

// Where a report quotes the message before: words of a line, in lower case, and
// beginnings of lines.
var (
	quotes = []string{
		"below this line is a copy", "this is a copy of", "original message follows", "message headers follow", "header of the original message",
		"unsent message", "original message ---", "returned message ---", "message header ---", "headers of the message", "original message header", "undelivered message",
		"message text follows", "copy of your message", "the attachment contains", "returned message follows",
	}
	fieldsBegin = []string{"received:", "return-path:", "received from", "content-type: message/rfc822"}
)

// cut parts a text at the message that it quotes, if it does.
func cut(text string) (said, quoted string) {
	for at := 0; at < len(text); {
		end := strings.IndexByte(text[at:], '\n')
		next := at + end + 1
		if end < 0 {
			next = len(text)
		}
		line := strings.ToLower(strings.TrimSpace(text[at:next]))
		if containsAny(line, quotes) {
			return text[:at], strings.TrimLeft(text[next:], "\r\n")
		}
		if slices.ContainsFunc(fieldsBegin, func(w string) bool { return strings.HasPrefix(line, w) }) {
			return text[:at], text[at:]
		}
		at = next
	}
	return text, ""
}

// maxWords bounds how many words of a text are looked at.
const maxWords = 20_000

// isSystem reports whether an address in lower case is one that mail systems use.
func isSystem(a string) bool {
	return strings.HasPrefix(a, "mailer-daemon@") || strings.HasPrefix(a, "postmaster@")
}

// addresses are those in a text, in their order, each once, but those left out and
// those that skip names.
func addresses(text string, skip func(string) bool, without ...string) (all []string) {
	seen := map[string]bool{"": true}
	for _, w := range without {
		seen[strings.ToLower(w)] = true
	}
	apart := func(r rune) bool {
		return r <= ' ' || strings.ContainsRune("<>()[]\"',;:|", r)
	}
	n := 0
	for w := range strings.FieldsFuncSeq(text, apart) {
		if n++; n > maxWords || len(all) == maxRecipients {
			break
		}
		w = strings.Trim(w, ".!*&`=")
		if i := strings.IndexByte(w, '@'); i <= 0 || !strings.Contains(w[i:], ".") {
			continue
		}
		lower := strings.ToLower(w)
		if _, err := address.Parse(w); err != nil || seen[lower] || skip(lower) {
			continue
		}
		seen[lower] = true
		all = append(all, w)
	}
	return all
}

// sections are what a text says of each of the addresses in it: from the first
// place that names one to the first that names another, or to the end; all of it
// for those that it does not name, and when there is only one.
func sections(text string, all []string) []string {
	parts, places := make([]string, len(all)), make([]int, len(all))
	for i, a := range all {
		places[i] = strings.Index(text, a)
	}
	order := slices.Sorted(slices.Values(places))
	for i, at := range places {
		parts[i] = text
		if at < 0 || len(all) == 1 {
			continue
		}
		end := len(text)
		if next, _ := slices.BinarySearch(order, at+1); next < len(order) {
			end = order[next]
		}
		parts[i] = text[min(at+len(all[i]), end):end]
	}
	return parts
}

// clip takes of a text what a server said: the field Diagnostic-Code if the text
// has one, else what follows the mark that Sendmail sets, else the paragraph from
// the first line with a code on, which the words of courtesy before do not have;
// all of it when there is none.
func clip(text string) string {
	lower := strings.ToLower(text)
	if i := strings.Index(lower, "diagnostic-code:"); i >= 0 {
		_, said := report.Typed(paragraph(text[i+len("diagnostic-code:"):]))
		return said
	}
	if i := strings.Index(lower, "transcript of session follows"); i >= 0 {
		return paragraph(strings.TrimLeft(text[i+len("transcript of session follows"):], "- \r\n"))
	}
	for at := 0; at < len(text); {
		end := strings.IndexByte(text[at:], '\n')
		if end < 0 {
			end = len(text) - at - 1
		}
		if i := codeAt(text[at : at+end+1]); i >= 0 {
			return paragraph(text[at+i:])
		}
		at += end + 1
	}
	return strings.TrimSpace(text)
}

// paragraph is what stands before the first empty line, or line of another part.
func paragraph(text string) string {
	for at := 0; at < len(text); {
		end := strings.IndexByte(text[at:], '\n')
		if end < 0 {
			break
		}
		at += end + 1
		if rest := text[at:]; rest == "" || rest[0] == '\n' || strings.HasPrefix(rest, "\r\n") || strings.HasPrefix(rest, "--") {
			return strings.TrimSpace(text[:at])
		}
	}
	return strings.TrimSpace(text)
}

// codeAt returns where a line has a code with words behind it, or -1.
func codeAt(line string) int {
	for i := 0; i+4 < len(line); i++ {
		if (line[i] == '4' || line[i] == '5') && line[i+1] <= '5' && digit(line[i+1]) && digit(line[i+2]) &&
			strings.IndexByte(" -:", line[i+3]) >= 0 && (i == 0 || !word(line[i-1]) && strings.IndexByte("-+/:", line[i-1]) < 0) {
			return i
		}
	}
	return -1
}
