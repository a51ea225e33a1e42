package session

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"

	"github.com/emersion/go-sasl"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

var (
	replyAuthTwice   = canned(503, 5, 5, 1, "Already authenticated")
	replyAuthTLS     = canned(538, 5, 7, 11, "Encryption required to authenticate")
	replyMechanism   = canned(504, 5, 5, 4, "Unknown authentication mechanism")
	replyAuthCancel  = canned(501, 5, 7, 0, "Authentication cancelled")
	replyAuthLine    = canned(500, 5, 5, 6, "Authentication exchange line is too long") // RFC 4954 §6
	replyAuthSyntax  = canned(501, 5, 5, 2, "Invalid response")
	replyAuthEndless = canned(535, 5, 7, 8, "Authentication takes too many steps")
)

// mayAuth reports whether the client may authenticate at this point.
func (s *Session) mayAuth() bool {
	return s.has(PhaseAuth) && (s.c.TLS != nil || !s.needsTLSToAuth())
}

func (s *Session) needsTLSToAuth() bool { return s.settings.Auth.TLSOnly || s.settings.RequireTLS }

func (s *Session) checkAuth(a smtp.Auth) smtp.Reply {
	switch {
	case !s.has(PhaseAuth):
		return replyUnavailable
	case s.c.TLS == nil && s.needsTLSToAuth():
		return replyAuthTLS
	case s.c.Helo.Verb == "" || s.c.Helo.Verb == "HELO":
		return replyNoHelo
	case s.c.Auth.Mechanism != "":
		return replyAuthTwice
	case s.t != nil:
		return replyInMail
	case !slices.Contains(s.mechanisms, a.Mechanism):
		return replyMechanism
	}
	return smtp.Reply{}
}

// errAuth says that a step of AUTH has been answered and nothing is to follow.
var errAuth = errors.New("session: authentication ended")

// auth leads one authentication exchange (RFC 4954 §4).
func (s *Session) auth(ctx context.Context, a smtp.Auth) {
	var v AuthVerdict
	var name string
	var err error
	switch a.Mechanism {
	case sasl.Plain:
		name, v, err = s.authPlain(ctx, a)
	case sasl.Login:
		name, v, err = s.authLogin(ctx, a)
	default:
		v, err = s.authOther(ctx, a)
	}
	if err != nil {
		return
	}
	s.authenticated(a.Mechanism, name, v)
}

// authenticated answers for the hook.
func (s *Session) authenticated(mechanism, name string, v AuthVerdict) {
	if v.Action == Reply { // of a mechanism that has but one step
		v.Verdict = Verdict{Action: Reject}
	}
	if v.Action == Accept {
		if v.Username != "" {
			name = v.Username
		}
		s.c.Auth = Login{Mechanism: mechanism, Username: name}
		s.metrics.Auth.Inc()
		s.answer(PhaseAuth, v.Verdict, authDefaults.reply(v.Verdict))
		return
	}
	s.metrics.AuthFailed.Inc()
	if s.authFailures++; s.authFailures >= s.limits.AuthFailures {
		s.rejected(Rejection{Phase: PhaseAuth, Reply: replyFailures})
		s.shutOut(replyFailures)
		return
	}
	s.answer(PhaseAuth, v.Verdict, authDefaults.reply(v.Verdict))
}

// authPlain is RFC 4616.
func (s *Session) authPlain(ctx context.Context, a smtp.Auth) (string, AuthVerdict, error) {
	response := a.Initial
	if response == nil {
		var err error
		if response, err = s.challenge(nil); err != nil {
			return "", AuthVerdict{}, err
		}
	}
	step := Authentication{Mechanism: a.Mechanism}
	server := sasl.NewPlainServer(func(identity, username, password string) error {
		step.Identity, step.Username, step.Password = identity, username, password
		return nil
	})
	if _, _, err := server.Next(response); err != nil {
		s.mistake(replyAuthSyntax)
		return "", AuthVerdict{}, errAuth
	}
	return step.Username, s.settings.Hooks.Auth(s.hook(ctx), &s.c, &step), nil
}

// authLogin is what draft-murchison-sasl-login describes: two prompts, the
// first of which clients may answer in advance.
func (s *Session) authLogin(ctx context.Context, a smtp.Auth) (string, AuthVerdict, error) {
	username := a.Initial
	var err error
	if username == nil {
		if username, err = s.challenge([]byte("Username:")); err != nil {
			return "", AuthVerdict{}, err
		}
	}
	password, err := s.challenge([]byte("Password:"))
	if err != nil {
		return "", AuthVerdict{}, err
	}
	step := Authentication{Mechanism: a.Mechanism, Username: string(username), Password: string(password)}
	return step.Username, s.settings.Hooks.Auth(s.hook(ctx), &s.c, &step), nil
}

// maxAuthSteps is more than any mechanism has.
const maxAuthSteps = 20

// authOther lets the hook lead: each Reply of it is a challenge.
func (s *Session) authOther(ctx context.Context, a smtp.Auth) (AuthVerdict, error) {
	step := Authentication{Mechanism: a.Mechanism, Response: a.Initial}
	for ; step.State < maxAuthSteps; step.State++ {
		v := s.settings.Hooks.Auth(s.hook(ctx), &s.c, &step)
		if v.Action != Reply {
			return v, nil
		}
		if v.Disconnect {
			s.shutOut(challengeReply([]byte(v.Reply.Text())))
			return v, errAuth
		}
		var err error
		if step.Response, err = s.challenge([]byte(v.Reply.Text())); err != nil {
			return v, err
		}
	}
	return AuthVerdict{Verdict: Verdict{Action: Reject, Reply: replyAuthEndless}}, nil
}

func challengeReply(text []byte) smtp.Reply {
	return smtp.NewReply(334, smtp.EnhancedCode{}, base64.StdEncoding.EncodeToString(text))
}

// challenge sends one challenge and returns the decoded answer, never nil. When
// there is an error the client has been told.
func (s *Session) challenge(text []byte) ([]byte, error) {
	s.say(challengeReply(text))
	line, err := s.line(smtp.MaxAuth)
	switch {
	case errors.Is(err, smtp.ErrLongLine):
		s.mistake(replyAuthLine)
		return nil, errAuth
	case err != nil:
		s.broken(err)
		return nil, errAuth
	}
	s.now(Commanded)
	if string(line) == "*" {
		s.say(replyAuthCancel)
		return nil, errAuth
	}
	response, err := smtp.DecodeResponse(string(line))
	if err != nil {
		s.mistake(syntaxReply(err))
		return nil, errAuth
	}
	return response, nil
}
