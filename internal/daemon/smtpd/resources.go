package smtpd

import (
	"context"
	"crypto/tls"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/pki"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/script"
)

// resources are what scripts refer to by id.
type resources struct {
	running      *Running
	certificates *pki.Store
	transports   map[string]*queue.Transport
}

// NewResources composes what scripts refer to by id outside of the MTA: source
// addresses, transports and certificates of a running configuration that was
// loaded with startup. Settings of destinations are not among them.
func NewResources(startup *Startup, r *Running) (script.Resources, error) {
	keys, err := pki.ReadKeys(entries(startup.PKI.Private))
	if err != nil {
		return nil, err
	}
	if r.Delivery == nil {
		r.Delivery = new(Delivery)
	}
	s := &snapshot{running: r}
	if err := s.composePKI(startup, keys); err != nil {
		return nil, err
	}
	if s.queue, err = s.queueSettings(); err != nil {
		return nil, err
	}
	return resources{running: r, certificates: s.certificates, transports: s.queue.Transports}, nil
}

// Certificate implements script.Resources.
func (r resources) Certificate(id string) (*tls.Certificate, error) {
	return r.certificates.Certificate(id)
}

// Source implements script.Resources.
func (r resources) Source(id string) (delivery.Source, bool) {
	if a := r.running.address(id); a != nil {
		return a.source(), true
	}
	return delivery.Source{}, false
}

// Transport implements script.Resources.
func (r resources) Transport(id string) (*delivery.Transport, bool) {
	if t := r.transports[id]; t != nil {
		return t.Delivery, true
	}
	return nil, false
}

// scriptCourier is the courier of a daemon, which is made after the scripts are.
type scriptCourier struct{ d *Daemon }

// Send implements script.Courier.
func (c scriptCourier) Send(ctx context.Context, a *delivery.Attempt) delivery.Outcome {
	return c.d.courier.Send(ctx, a)
}

// Probe implements script.Courier.
func (c scriptCourier) Probe(ctx context.Context, a *delivery.Attempt, until delivery.Stage) delivery.Outcome {
	return c.d.courier.Probe(ctx, a, until)
}
