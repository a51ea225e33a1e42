package telemetry

import (
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/metric"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/session"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// lines is a Log that remembers.
type lines struct {
	least slog.Level
	got   []string
}

func (l *lines) Keeps(level slog.Level) bool { return level >= l.least }

func (l *lines) Line(level slog.Level, text string) {
	if l.Keeps(level) {
		l.got = append(l.got, level.String()+" "+text)
	}
}

func (l *lines) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(l.got, want) {
		t.Errorf("logged\n%s\nwant\n%s", strings.Join(l.got, "\n"), strings.Join(want, "\n"))
	}
}

var (
	id  = envelope.ID{0xab, 0xcd}
	joe = address.Address{Local: "joe", Domain: "example.net"}
	ann = address.Address{Local: "ann", Domain: "example.org"}
)

func TestAttemptLines(t *testing.T) {
	log := &lines{}
	events := QueueEvents(log)
	v := &queue.View{ID: id, Recipient: joe, Retry: 1}
	next := time.Date(2026, 1, 2, 15, 4, 5, 0, time.Local)
	connection := delivery.Connection{
		RemoteMX: "mx.example.net", RemoteIP: netip.MustParseAddr("192.0.2.1"), RemotePort: 25,
		TLS: delivery.TLSInfo{Started: true, Protocol: "TLSv1.3"},
	}
	events.Attempted(v, &delivery.Outcome{
		Status: delivery.Delivered, Stage: delivery.StageEOD, FromPeer: true, Connection: connection,
		Reply: smtp.NewReply(250, smtp.EnhancedCode{2, 0, 0}, "Ok"), Duration: 31 * time.Millisecond,
	}, queue.Conclusion{Action: "delivered"})
	events.Attempted(v, &delivery.Outcome{
		Status: delivery.Deferred, Stage: delivery.StageMail, FromPeer: true,
		Reply: smtp.NewReply(451, smtp.EnhancedCode{4, 7, 1}, "Slow", "down"),
	}, queue.Conclusion{Action: "deferred", Next: next})
	events.Attempted(v, &delivery.Outcome{
		Status: delivery.Failed, Stage: delivery.StageResolve, Err: errors.New("dns: no such domain"),
	}, queue.Conclusion{Action: "bounced"})
	for _, cause := range []string{"spool: body in 00000000.seg: corrupt record", "delivery: the message cannot be read"} {
		events.Attempted(v, &delivery.Outcome{
			Status: delivery.Deferred, Stage: delivery.StageMail, Kind: delivery.KindConfig, Err: errors.New(cause),
			Reply: smtp.NewReply(451, smtp.EnhancedCode{4, 3, 0}, "the message cannot be read"),
		}, queue.Conclusion{Action: "deferred", Next: next})
	}
	events.Failed(errors.New("queue: report could not be stored"))
	log.expect(t,
		"INFO [abcd0000-0000-0000-0000-000000000000] delivered <joe@example.net> by mx.example.net [192.0.2.1]:25 (TLSv1.3) in 31ms: 250 2.0.0 Ok",
		"INFO [abcd0000-0000-0000-0000-000000000000] deferred <joe@example.net> until 2026-01-02 15:04:05 (retry 2): 451 4.7.1 Slow down (in reply to MAIL)",
		"INFO [abcd0000-0000-0000-0000-000000000000] bounced <joe@example.net>: dns: no such domain",
		"INFO [abcd0000-0000-0000-0000-000000000000] deferred <joe@example.net> until 2026-01-02 15:04:05 (retry 2): 451 4.3.0 the message cannot be read (spool: body in 00000000.seg: corrupt record)",
		"INFO [abcd0000-0000-0000-0000-000000000000] deferred <joe@example.net> until 2026-01-02 15:04:05 (retry 2): 451 4.3.0 the message cannot be read",
		"ERROR queue: report could not be stored",
	)
}

func TestRecoveryLines(t *testing.T) {
	log := &lines{}
	events := QueueEvents(log)
	events.Recovered(0, time.Second, nil)
	events.Recovered(7, 1500*time.Millisecond, nil)
	events.Recovered(7, time.Second, errors.New("spool: read"))
	log.expect(t, "INFO Recovered 7 messages in 1.5s", "ERROR Recovery of the spool ended after 7 messages: spool: read")
}

func TestSessionLines(t *testing.T) {
	log := &lines{}
	events := SessionEvents(log)
	c := &session.Connection{ID: id, Remote: netip.MustParseAddrPort("192.0.2.7:4000"), PTR: session.PTR{Name: "mail.example.org"}}
	tx := &session.Transaction{ID: id, Sender: ann}
	events.Connected(c) // below the level that is kept
	log.least = slog.LevelInfo
	log.got = nil
	events.Connected(c)
	events.Accepted(c, &session.Acceptance{Transaction: tx, Message: &envelope.Message{
		Size: 1234, Recipients: []envelope.Recipient{{Address: joe}, {Address: ann}},
	}})
	events.Accepted(c, &session.Acceptance{Transaction: tx, Message: &envelope.Message{Size: 5}})
	events.Rejected(c, &session.Rejection{
		Phase: session.PhaseRcptTo, Transaction: tx, Recipient: &session.Recipient{Address: joe},
		Reply: smtp.NewReply(550, smtp.EnhancedCode{5, 7, 1}, "relaying denied"),
	})
	events.Rejected(c, &session.Rejection{
		Phase: session.PhaseEndOfData, Transaction: tx, Err: errors.New("spool: writing failed"),
		Reply: smtp.NewReply(451, smtp.EnhancedCode{4, 3, 0}, "try again"),
	})
	events.Line(&session.Connection{ID: id}, true, "NOOP")
	log.expect(t,
		"INFO [abcd0000-0000-0000-0000-000000000000] accepted from <ann@example.org> at mail.example.org [192.0.2.7]:4000 for <joe@example.net> and 1 more, 1234 bytes",
		"INFO [abcd0000-0000-0000-0000-000000000000] accepted from <ann@example.org> at mail.example.org [192.0.2.7]:4000 and discarded, 5 bytes",
		"INFO [abcd0000-0000-0000-0000-000000000000] refused at rcptto from <ann@example.org> to <joe@example.net> for mail.example.org [192.0.2.7]:4000: 550 5.7.1 relaying denied",
		"ERROR [abcd0000-0000-0000-0000-000000000000] refused at eod from <ann@example.org> for mail.example.org [192.0.2.7]:4000: 451 4.3.0 try again (spool: writing failed)",
		"INFO [abcd0000-0000-0000-0000-000000000000] C: NOOP",
	)
}

// TestStatNames: the dotted names of process statistics, with the server after
// the first word.
func TestStatNames(t *testing.T) {
	var r metric.Registry
	r.Register(new(struct {
		Picked metric.Counter `name:"queue_pickup_count" help:"Picked up."`
	}))
	r.Register(new(struct {
		Now metric.Gauge `name:"servers_connections_concurrent" help:"Now."`
	}), metric.Label{Name: "serverid", Value: "inbound"})
	var names []string
	for _, s := range Stats(&r) {
		names = append(names, s.Name)
	}
	if want := []string{"queue.pickup.count", "servers.inbound.connections.concurrent"}; !slices.Equal(names, want) {
		t.Errorf("names are %v, want %v", names, want)
	}
}

func TestScriptLines(t *testing.T) {
	log := &lines{least: slog.LevelInfo}
	events := ScriptEvents(log)
	events.Logged(1, "all is lost")
	events.Logged(4, "one\r\ntwo\n")
	events.Logged(5, "by the way")
	events.Logged(7, "unseen")
	events.Echoed("eod", "x", "id", "unseen")
	log.expect(t, "ERROR+4 all is lost", "WARN one", "WARN two", "INFO+2 by the way")
}
