package delivery

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // CRAM-MD5 is made of it (RFC 2195)
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// mechanism is one way to log in, as the answers to be given in turn.
type mechanism struct {
	name    string
	stages  []Stage // of the reply after each step; the first is the AUTH command
	initial bool    // the first answer goes with the command
	plain   bool    // shows the password
	client  func(Auth) sasl.Client
}

// mechanisms are in the order in which they are preferred.
var mechanisms = []mechanism{
	{"CRAM-MD5", []Stage{StageAuthCRAMMD5, StageAuth}, false, false, func(a Auth) sasl.Client { return &cramMD5{a} }},
	{"PLAIN", []Stage{StageAuthPlain}, true, true,
		func(a Auth) sasl.Client { return sasl.NewPlainClient("", a.Username, a.Password) }},
	{"LOGIN", []Stage{StageAuthLogin, StageAuthLoginUser, StageAuth}, false, true,
		func(a Auth) sasl.Client { return &loginAnswers{Client: sasl.NewLoginClient(a.Username, a.Password)} }},
}

// login logs in, if the transport says as whom. A host that does not let us in
// never fails the message: a password that has run out is no reason to return
// mail to its sender.
func (c *client) login(*Attempt) *Outcome {
	if c.Auth.Username == "" {
		return nil
	}
	offered := strings.Fields(strings.ToUpper(c.ext["AUTH"]))
	i := slices.IndexFunc(mechanisms, func(m mechanism) bool { return slices.Contains(offered, m.name) })
	if i < 0 {
		return verdict(StageAuth, KindConfig, codeAuth, "the host offers no way to log in that is known here", nil)
	}
	m := &mechanisms[i]
	// Where TLS was wanted and could not be had, the password stays here:
	// whoever took STARTTLS away may be listening.
	if m.plain && !c.info.TLS.Started && c.TLS.Mode != TLSDisabled {
		return verdict(StageAuth, KindTLS, codeTLS, "the password is not sent without TLS", nil)
	}
	return c.exchange(m)
}

// exchange answers the challenges of one mechanism.
func (c *client) exchange(m *mechanism) *Outcome {
	client := m.client(c.Auth)
	_, answer, err := client.Start()
	if err != nil {
		return verdict(m.stages[0], KindConfig, codeAuth, "login is not possible", fmt.Errorf("delivery: %w", err))
	}
	command := "AUTH " + m.name
	if m.initial {
		command += " " + base64.StdEncoding.EncodeToString(answer)
	}
	for i, stage := range m.stages {
		r, out := c.ask(stage, command)
		if out != nil {
			return out
		}
		if last := i == len(m.stages)-1; last && r.Positive() {
			return nil
		} else if last || r.Code != 334 {
			out = refusal(stage, r)
			out.Status = Deferred
			return out
		}
		challenge, err := smtp.DecodeResponse(r.Text())
		if err == nil {
			answer, err = client.Next(challenge)
		}
		if err != nil {
			return verdict(stage, KindProtocol, codeAuth, "the host asked something unexpected during login",
				fmt.Errorf("delivery: %s: %w", stage, err))
		}
		command = base64.StdEncoding.EncodeToString(answer)
	}
	return nil
}

// loginAnswers gives the user name in answer to the first challenge and the password
// to the second, whatever these say: their texts differ and mean nothing.
type loginAnswers struct {
	sasl.Client
	user []byte
}

func (l *loginAnswers) Start() (name string, answer []byte, err error) {
	name, l.user, err = l.Client.Start()
	return name, nil, err
}

func (l *loginAnswers) Next([]byte) ([]byte, error) {
	if user := l.user; user != nil {
		l.user = nil
		return user, nil
	}
	return l.Client.Next([]byte("Password:"))
}

// cramMD5 proves that we know the password (RFC 2195).
type cramMD5 struct{ Auth }

func (cramMD5) Start() (string, []byte, error) { return "CRAM-MD5", nil, nil }

func (a *cramMD5) Next(challenge []byte) ([]byte, error) {
	h := hmac.New(md5.New, []byte(a.Password))
	h.Write(challenge)
	return []byte(a.Username + " " + hex.EncodeToString(h.Sum(nil))), nil
}
