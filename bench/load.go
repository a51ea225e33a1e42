package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/posthaste-mta/posthaste/internal/source"
)

// load is what the clients do in one measurement. Either messages or lasting
// bounds it.
type load struct {
	connections int  // at once
	reuse       bool // otherwise each message has a connection of its own
	messages    int
	lasting     time.Duration
	size        int // bytes; that of the benchmark if zero
	senders     int // domains that mail comes from; 1 if zero
	domains     int // domains that it goes to; 1 if zero
}

// sent is what came of it.
type sent struct {
	messages int64
	elapsed  time.Duration
}

// send runs the load against an SMTP server. That a message is refused is an
// error: figures with refused mail in them would compare different work.
func (b *bench) send(ctx context.Context, address string, l load) (sent, error) {
	from, err := source.ParsePattern("sender@s%d.example.com", l.senders)
	if err != nil {
		return sent{}, err
	}
	to, err := source.ParsePattern("user%d@d%d.example.net", l.domains)
	if err != nil {
		return sent{}, err
	}
	o := source.Options{
		To: address, From: from, Rcpt: to, Sessions: l.connections,
		Messages: uint64(l.messages), Duration: l.lasting, Size: cmp.Or(l.size, b.size),
		Helo: "client.example.com", Timeout: time.Minute,
	}
	if !l.reuse {
		o.PerConnection = 1
	}
	s, err := source.New(o)
	if err != nil {
		return sent{}, err
	}
	r, err := s.Run(ctx)
	if err == nil && !r.Complete() {
		err = fmt.Errorf("messages were refused or lost: %v", r.Failures)
	}
	if err == nil && r.Messages == 0 {
		err = fmt.Errorf("no message was taken")
	}
	return sent{r.Messages, time.Duration(r.Seconds * float64(time.Second))}, err
}
