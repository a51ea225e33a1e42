package script

import (
	"testing"

	"github.com/posthaste-mta/posthaste/internal/session"
)

// ends are the decisions that the examples of the phases come to.
var ends = map[string]string{
	"connect Accept": "accept 0 [mail.example.net at your service] ptr=mx.example.com",
	"connect Reject": "reject 554 5.7.1 [we have enough of you]",
	"connect Defer":  "defer 0 4.7.25 [come back with a name]",

	"proxy Pass":  "accept 0 [] next",
	"proxy Reply": "reply 502 5.5.1 [not here] next",

	"helo Accept": "accept 0 [] extensions=SIZE",
	"helo Reject": "reject 0 [that is our name] hangs up",
	"helo Defer":  "defer 0 [who are you? try again later]",

	"auth Accept": "accept 0 [] user=joe@example.net",
	"auth Reject": "reject 538 5.7.11 [not without TLS]",
	"auth Defer":  "defer 0 [logins do not work at the moment]",
	"auth Reply":  "reply 0 [VG9rZW46]",

	"mailfrom Accept": "accept 0 [] sender=ann@example.com",
	"mailfrom Reject": "reject 550 5.7.1 [log in to send as one of us]",
	"mailfrom Defer":  "defer 452 4.3.1 [no room for that much]",

	"rcptto Accept": "accept 0 [] recipient=joe.smith@example.net transport=inside",
	"rcptto Reject": "reject 550 5.1.1 [nobody of that name]",
	"rcptto Defer":  "defer 452 4.5.3 [one recipient at a time]",

	"eod Accept":     "accept 0 [it will be delivered]",
	"eod Reject":     "reject 550 5.6.0 [it has no From]",
	"eod Defer":      "defer 0 [it cannot be scanned now]",
	"eod DKIMVerify": "reject 0 [the signature is no good]",
	"eod DKIMSign":   "defer 0 [the key cannot be read]",

	"disconnect Pass": "",

	"predelivery Try":         "default servers=[mx.example.net] port=2525 helo= tls=require timeout=1m0s exclude=[]",
	"predelivery Queue":       "requeue 1h0m0s patience transport=slow",
	"predelivery Bounce":      "bounce that office is closed",
	"predelivery Delete":      "delete it is of no use any more",
	"predelivery SetMetaData": "default metadata=map[seen:joe@example.net]",
	"predelivery GetMetaData": "default metadata=map[campaign:none retry:2]",

	"postdelivery Default":     "default",
	"postdelivery Queue":       "requeue 15m0s mailbox is full notify",
	"postdelivery Bounce":      "bounce report=postmaster@example.org Full: [X-Kind: full]",
	"postdelivery Delete":      "delete no third attempt",
	"postdelivery SetMetaData": "default metadata=map[seen:joe@example.net]",
	"postdelivery GetMetaData": "default metadata=map[campaign:none retry:2]",
}

// TestExamples runs the example of each function of each phase and compares what
// it decides.
func TestExamples(t *testing.T) {
	for _, phase := range Phases() {
		l, _ := Library(phase, nil)
		for b := range l.Builtins() {
			name := phase + " " + b.Name
			want, ok := ends[name]
			if b.Example == "" || !ok {
				t.Errorf("%s has the example %q and the end %q", name, b.Example, want)
				continue
			}
			if got := endOf(t, phase, b.Name, b.Example); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
}

// endOf is what a script decides on the client, message or entry of decide.
func endOf(t *testing.T, phase, function, text string) string {
	t.Helper()
	if phase == predelivery || phase == postdelivery {
		return decideQueue(t, phase, text)
	}
	for at := session.PhaseConnect; at <= session.PhaseDisconnect; at++ {
		if at.String() != phase {
			continue
		}
		s := engine(t, at, text)
		if function == "Reply" && at == session.PhaseAuth {
			return common(s.Auth(t.Context(), client(), &session.Authentication{Mechanism: "LOGIN-TOKEN"}).Verdict)
		}
		return decide(t.Context(), s, at)
	}
	t.Fatalf("there is no phase %s", phase)
	return ""
}
