package script

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/session"
)

// engine compiles one script for a phase.
func engine(t *testing.T, phase session.Phase, text string) *Session {
	t.Helper()
	e, err := New(Options{
		Library: stdlib.New(stdlib.Options{}),
		Source:  Source{Hooks: map[string]map[string]string{phase.String(): {"h": text}}},
		Events: Events{Failed: func(phase, id, _, detail string) {
			t.Logf("%s/%s: %s", phase, id, detail)
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Session(Server{ID: "inbound", Hooks: map[session.Phase]string{phase: "h"}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func client() *session.Connection {
	return &session.Connection{ServerID: "inbound", Remote: netip.MustParseAddrPort("192.0.2.1:4000"), Local: netip.MustParseAddrPort("192.0.2.2:25")}
}

func TestConnect(t *testing.T) {
	s := engine(t, session.PhaseConnect, `
		if ($arguments["remoteip"] == "192.0.2.1")
			Reject(["go", "away"], ["reply_codes" => ["code" => 554, "enhanced" => [5, 7, 1]]]);
		Accept();`)
	v := s.Connect(t.Context(), client())
	if v.Action != session.Reject || v.Reply.Code != 554 || strings.Join(v.Reply.Lines, "|") != "go|away" || v.Reply.Enhanced != [3]uint16{5, 7, 1} {
		t.Errorf("verdict is %+v", v)
	}
	other := client()
	other.Remote = netip.MustParseAddrPort("192.0.2.9:1")
	if v := s.Connect(t.Context(), other); v.Action != session.Accept {
		t.Errorf("verdict is %+v", v)
	}
}

func TestContextIsCarried(t *testing.T) {
	s := engine(t, session.PhaseHelo, `
		if (!isset($context)) $context = 0;
		$context += 1;
		if ($context > 2) Defer("enough");`)
	c := client()
	var got []session.Action
	for range 3 {
		got = append(got, s.Helo(t.Context(), c, nil).Action)
	}
	if got[0] != session.Accept || got[1] != session.Accept || got[2] != session.Defer {
		t.Errorf("actions are %v", got)
	}
}

func TestRcptTo(t *testing.T) {
	s := engine(t, session.PhaseRcptTo, `
		$a = $arguments["address"];
		Accept(["recipient" => ["localpart" => "box", "domain" => $a["domain"]], "transportid" => "inside"]);`)
	r := &session.Recipient{Address: address.Address{Local: "Joe", Domain: "example.org"}}
	v := s.RcptTo(t.Context(), client(), &session.Transaction{}, r)
	if v.Recipient == nil || v.Recipient.String() != "box@example.org" || v.Transport != "inside" {
		t.Errorf("verdict is %+v", v)
	}
}

// TestErrors: what a script error means in a phase.
func TestErrors(t *testing.T) {
	s := engine(t, session.PhaseMailFrom, `throw Exception("oops");`)
	if v := s.MailFrom(context.Background(), client(), &session.Transaction{}); v.Action != session.Defer {
		t.Errorf("verdict is %+v", v)
	}
}
