package smtpd

import (
	"fmt"
	"sync"

	"github.com/posthaste-mta/posthaste/internal/policy"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// byDestination finds the settings of a transport for a destination: those of
// the first condition of smtpd-delivery.yaml that holds, laid over the
// transport. Each combination is composed when it is first wanted.
type byDestination struct {
	snapshot   *snapshot
	table      *policy.Table
	settings   []*DeliverySettings // by place in the table
	transports map[string]Transport
	composed   sync.Map // destinationKey → *queue.Transport
}

type destinationKey struct {
	transport string
	condition int
}

// destinations composes the conditions, or returns nil where there are none. It
// refuses what no transport could be laid under.
func (c *snapshot) destinations() (func(string, *policy.Tuple) *queue.Transport, error) {
	rules := &c.running.Delivery.Delivery
	if len(rules.Conditions) == 0 {
		return nil, nil
	}
	d := &byDestination{snapshot: c, table: policy.NewTable(), transports: map[string]Transport{}}
	for i := range rules.Conditions {
		condition := &rules.Conditions[i]
		m, err := condition.If.compile(c.running)
		if err == nil {
			_, err = c.transport(Transport{Session: Session{TLS: TransportTLS{Mode: "optional"}}}, condition.Then)
		}
		if err != nil {
			return nil, fmt.Errorf("delivery.conditions[%d]: %w", i, err)
		}
		d.table.Add(m)
		d.settings = append(d.settings, &condition.Then)
	}
	for _, t := range c.running.Transports() {
		d.transports[t.ID] = t
	}
	return d.find, nil
}

// find returns the transport of that id for t, nil where no condition holds.
func (d *byDestination) find(id string, t *policy.Tuple) *queue.Transport {
	i := d.table.First(t)
	if i < 0 {
		return nil
	}
	key := destinationKey{id, i}
	if have, ok := d.composed.Load(key); ok {
		return have.(*queue.Transport)
	}
	base, ok := d.transports[id]
	if !ok {
		return nil
	}
	made, err := d.snapshot.transport(base, *d.settings[i])
	if err != nil {
		return nil // both parts were composed before, so this does not happen
	}
	have, _ := d.composed.LoadOrStore(key, made)
	return have.(*queue.Transport)
}
