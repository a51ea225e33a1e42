package control

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// ColumnKind says what the values of a column are, for whoever presents them.
type ColumnKind uint8

const (
	TextColumn  ColumnKind = iota
	CountColumn            // a plain number
	SizeColumn             // bytes
	TimeColumn             // milliseconds since 1970; 0: none
	SpanColumn             // milliseconds
	FlagColumn             // 0 or 1
	ListColumn             // text, joined by commas
	MapColumn              // text, NAME=VALUE joined by commas
)

// Column is a field of a queue entry: one table for the server, which fills in
// and sorts, and the client, which presents.
type Column struct {
	Name string
	Help string
	Kind ColumnKind
	// Costly columns are read from disk, for each entry.
	Costly bool

	fill   func(*pb.QueueEntry, *queue.View)
	text   func(*pb.QueueEntry) string
	number func(*pb.QueueEntry, time.Time) int64
}

// Columns are all columns, in the order of documentation.
func Columns() []Column { return columns }

// FindColumn returns the column of that name.
func FindColumn(name string) (Column, bool) {
	i := slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return Column{}, false
	}
	return columns[i], true
}

// Numeric reports whether Number says more than Text.
func (c *Column) Numeric() bool { return c.number != nil }

// Number returns the value of a numeric column. Spans are counted up to or
// from now.
func (c *Column) Number(e *pb.QueueEntry, now time.Time) int64 { return c.number(e, now) }

// Text returns the value of a column that is not numeric.
func (c *Column) Text(e *pb.QueueEntry) string { return c.text(e) }

// compare orders two entries by the column, and entries with the same value in
// a way that does not depend on when one asks, so that pages fit together.
func (c *Column) compare(a, b *pb.QueueEntry, now time.Time) int {
	var order int
	if c.number != nil {
		order = cmp.Compare(c.number(a, now), c.number(b, now))
	} else {
		order = strings.Compare(c.text(a), c.text(b))
	}
	return cmp.Or(order, strings.Compare(a.Id, b.Id), cmp.Compare(a.Queueid, b.Queueid))
}

func textColumn(name, help string, fill func(*pb.QueueEntry, *queue.View), text func(*pb.QueueEntry) string) Column {
	return Column{Name: name, Help: help, fill: fill, text: text}
}

func numberColumn(kind ColumnKind, name, help string, fill func(*pb.QueueEntry, *queue.View), number func(*pb.QueueEntry, time.Time) int64) Column {
	return Column{Name: name, Help: help, Kind: kind, fill: fill, number: number}
}

func costly(c Column) Column { c.Costly = true; return c }

func (c Column) as(kind ColumnKind) Column { c.Kind = kind; return c }

// entryName is filled in always: it names the entry.
func entryName(e *pb.QueueEntry, v *queue.View) {
	e.Id, e.Queueid = v.ID.String(), v.Number
}

func fillReceived(e *pb.QueueEntry, v *queue.View) { e.Ts = unixMilli(v.Received) }

func fillDue(e *pb.QueueEntry, v *queue.View) { e.Retryts = unixMilli(v.Due) }

func fillState(e *pb.QueueEntry, v *queue.View) { e.State = states[v.State] }

var states = map[queue.State]pb.QueueState{
	queue.StateUnknown: pb.QueueState_QUEUE_STATE_UNKNOWN,
	queue.StateDefer:   pb.QueueState_QUEUE_STATE_DEFER,
	queue.StateActive:  pb.QueueState_QUEUE_STATE_ACTIVE,
	queue.StateSending: pb.QueueState_QUEUE_STATE_SENDING,
	queue.StateHold:    pb.QueueState_QUEUE_STATE_HOLD,
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// The columns of spec operations.md 6.2 that the queue knows.
var columns = []Column{
	textColumn("id", "Transaction id of the message.", entryName, (*pb.QueueEntry).GetId),
	numberColumn(CountColumn, "queueid", "Number of the recipient in the message.", entryName,
		func(e *pb.QueueEntry, _ time.Time) int64 { return int64(e.Queueid) }),
	numberColumn(TimeColumn, "ts", "When the message was received.", fillReceived,
		func(e *pb.QueueEntry, _ time.Time) int64 { return e.Ts }),
	numberColumn(SpanColumn, "age", "Time since the message was received.", fillReceived,
		func(e *pb.QueueEntry, now time.Time) int64 { return now.UnixMilli() - e.Ts }),
	textColumn("state", "ACTIVE, DEFER, SENDING, HOLD, or UNKNOWN between steps.", fillState, StateName),
	numberColumn(FlagColumn, "hold", "Whether the entry is on hold.", fillState, func(e *pb.QueueEntry, _ time.Time) int64 {
		if e.State == pb.QueueState_QUEUE_STATE_HOLD {
			return 1
		}
		return 0
	}),
	textColumn("sender", "Envelope sender; empty is the null sender.",
		func(e *pb.QueueEntry, v *queue.View) { e.Sender = v.Sender.String() }, (*pb.QueueEntry).GetSender),
	textColumn("senderdomain", "Domain of the sender.",
		func(e *pb.QueueEntry, v *queue.View) { e.Senderdomain = v.Sender.Domain }, (*pb.QueueEntry).GetSenderdomain),
	textColumn("recipient", "Envelope recipient.",
		func(e *pb.QueueEntry, v *queue.View) { e.Recipient = v.Recipient.String() }, (*pb.QueueEntry).GetRecipient),
	textColumn("recipientdomain", "Domain of the recipient.",
		func(e *pb.QueueEntry, v *queue.View) { e.Recipientdomain = v.Recipient.Domain }, (*pb.QueueEntry).GetRecipientdomain),
	textColumn("transportid", "Transport that the entry goes by.",
		func(e *pb.QueueEntry, v *queue.View) { e.Transportid = v.Transport }, (*pb.QueueEntry).GetTransportid),
	textColumn("jobid", "Job of the entry.",
		func(e *pb.QueueEntry, v *queue.View) { e.Jobid = v.Job }, (*pb.QueueEntry).GetJobid),
	textColumn("tenantid", "Tenant of the entry.",
		func(e *pb.QueueEntry, v *queue.View) { e.Tenantid = v.Tenant }, (*pb.QueueEntry).GetTenantid),
	numberColumn(CountColumn, "priority", "0 is normal, 1 is high.",
		func(e *pb.QueueEntry, v *queue.View) { e.Priority = uint32(v.Priority) },
		func(e *pb.QueueEntry, _ time.Time) int64 { return int64(e.Priority) }),
	numberColumn(SizeColumn, "size", "Bytes of the message.",
		func(e *pb.QueueEntry, v *queue.View) { e.Size = v.Size },
		func(e *pb.QueueEntry, _ time.Time) int64 { return e.Size }),
	numberColumn(CountColumn, "retrycount", "Attempts that counted so far.",
		func(e *pb.QueueEntry, v *queue.View) { e.Retrycount = v.Retry },
		func(e *pb.QueueEntry, _ time.Time) int64 { return int64(e.Retrycount) }),
	numberColumn(TimeColumn, "retryts", "When the next attempt is due; empty is at once.", fillDue,
		func(e *pb.QueueEntry, _ time.Time) int64 { return e.Retryts }),
	numberColumn(SpanColumn, "retrydelay", "Time until the next attempt is due.", fillDue,
		func(e *pb.QueueEntry, now time.Time) int64 { return max(0, e.Retryts-now.UnixMilli()) }),
	textColumn("retryreason", "Why the last attempt failed.",
		func(e *pb.QueueEntry, v *queue.View) { e.Retryreason = v.Reason }, (*pb.QueueEntry).GetRetryreason),
	textColumn("grouping", "Grouping of the destination, while ACTIVE or SENDING.",
		func(e *pb.QueueEntry, v *queue.View) { e.Grouping = v.Grouping }, (*pb.QueueEntry).GetGrouping),
	textColumn("localip", "Source address, while SENDING.", func(e *pb.QueueEntry, v *queue.View) {
		e.Localip = ""
		if v.LocalIP.IsValid() {
			e.Localip = v.LocalIP.String()
		}
	}, (*pb.QueueEntry).GetLocalip),
	textColumn("remotemx", "First host to be tried, while ACTIVE or SENDING.",
		func(e *pb.QueueEntry, v *queue.View) { e.Remotemx = v.RemoteMX }, (*pb.QueueEntry).GetRemotemx),
	textColumn("remoteip", "Its address.", func(e *pb.QueueEntry, v *queue.View) {
		if v.RemoteIP.IsValid() {
			e.Remoteip = v.RemoteIP.String()
		}
	}, (*pb.QueueEntry).GetRemoteip),
	textColumn("serverid", "Server that took the message.",
		func(e *pb.QueueEntry, v *queue.View) { e.Serverid = v.ServerID }, (*pb.QueueEntry).GetServerid),
	textColumn("senderip", "Address of the client that handed the message in.", func(e *pb.QueueEntry, v *queue.View) {
		if v.ClientIP.IsValid() {
			e.Senderip = v.ClientIP.String()
		}
	}, (*pb.QueueEntry).GetSenderip),
	textColumn("senderhelo", "HELO name of that client.",
		func(e *pb.QueueEntry, v *queue.View) { e.Senderhelo = v.Helo }, (*pb.QueueEntry).GetSenderhelo),
	textColumn("saslusername", "Name that the client authenticated as.",
		func(e *pb.QueueEntry, v *queue.View) { e.Saslusername = v.Username }, (*pb.QueueEntry).GetSaslusername),
	textColumn("quotas", "Quotas that the entry counts towards.",
		func(e *pb.QueueEntry, v *queue.View) { e.Quotas = v.Quotas },
		func(e *pb.QueueEntry) string { return strings.Join(e.Quotas, ",") }).as(ListColumn),
	costly(textColumn("subject", "Subject of the message.",
		func(e *pb.QueueEntry, v *queue.View) { e.Subject = v.Subject() }, (*pb.QueueEntry).GetSubject)),
	costly(textColumn("metadata", "What scripts stored with the entry.",
		func(e *pb.QueueEntry, v *queue.View) { e.Metadata = utf8Map(v.Metadata()) }, metadataText).as(MapColumn)),
}

func metadataText(e *pb.QueueEntry) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(e.Metadata)) {
		pairs = append(pairs, k+"="+e.Metadata[k])
	}
	return strings.Join(pairs, ",")
}

// StateName returns the state of e as operators know it.
func StateName(e *pb.QueueEntry) string {
	return strings.TrimPrefix(e.State.String(), "QUEUE_STATE_")
}

// clean makes UTF-8 of what strangers wrote: messages of the API hold nothing else.
func clean(e *pb.QueueEntry) {
	for _, s := range [...]*string{
		&e.Sender, &e.Senderdomain, &e.Recipient, &e.Recipientdomain, &e.Transportid, &e.Jobid, &e.Tenantid,
		&e.Serverid, &e.Senderhelo, &e.Saslusername, &e.Retryreason, &e.Remotemx, &e.Grouping, &e.Subject,
	} {
		*s = utf8Text(*s)
	}
	if slices.ContainsFunc(e.Quotas, func(s string) bool { return !utf8.ValidString(s) }) {
		e.Quotas = slices.Clone(e.Quotas) // the queue's own
		for i, s := range e.Quotas {
			e.Quotas[i] = utf8Text(s)
		}
	}
}

// utf8Text replaces what is not UTF-8; it costs nothing for what is.
func utf8Text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func utf8Map(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[utf8Text(k)] = utf8Text(v)
	}
	return out
}

// bucket is the range that a number is counted in when entries are grouped.
func (c *Column) bucket(e *pb.QueueEntry, now time.Time) string {
	if c.number == nil {
		return c.text(e)
	}
	n := c.number(e, now)
	switch c.Kind {
	case SpanColumn:
		return spanBucket(time.Duration(n) * time.Millisecond)
	case TimeColumn:
		if n == 0 {
			return ""
		}
		return time.UnixMilli(n).UTC().Format("2006-01-02T15Z") // by the hour
	case SizeColumn:
		return sizeBucket(n)
	}
	return strconv.FormatInt(n, 10)
}

var spanBuckets = []struct {
	below time.Duration
	name  string
}{
	{time.Minute, "0-1m"}, {5 * time.Minute, "1m-5m"}, {15 * time.Minute, "5m-15m"}, {time.Hour, "15m-1h"},
	{4 * time.Hour, "1h-4h"}, {12 * time.Hour, "4h-12h"}, {24 * time.Hour, "12h-1d"}, {48 * time.Hour, "1d-2d"},
	{96 * time.Hour, "2d-4d"},
}

func spanBucket(d time.Duration) string {
	for _, b := range spanBuckets {
		if d < b.below {
			return b.name
		}
	}
	return "4d+"
}

var sizeBuckets = []struct {
	below int64
	name  string
}{
	{4 << 10, "0-4KiB"}, {16 << 10, "4KiB-16KiB"}, {64 << 10, "16KiB-64KiB"}, {256 << 10, "64KiB-256KiB"},
	{1 << 20, "256KiB-1MiB"}, {4 << 20, "1MiB-4MiB"}, {16 << 20, "4MiB-16MiB"},
}

func sizeBucket(n int64) string {
	for _, b := range sizeBuckets {
		if n < b.below {
			return b.name
		}
	}
	return "16MiB+"
}
