package smtpd

import (
	"context"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/daemon"
)

// The three small files are put in force apart from the rest (spec operations.md
// 3). What cannot be read or does not hold together leaves the old one.

// ReloadPolicy reads smtpd-policy.yaml again.
func (d *Daemon) ReloadPolicy(ctx context.Context) (config.Warnings, error) {
	return d.reloadSmall(ctx, d.startup.Environment.PolicyConf, func(next *snapshot) (config.Warnings, error) {
		r := next.running
		p, warnings, err := LoadPolicy(d.startup, r, d.options.Files)
		if err != nil {
			return warnings, err
		}
		rules, err := p.compile(r)
		if err == nil {
			err = d.queue.SetPolicies(ctx, rules)
		}
		if err == nil {
			r.Policy = p
			d.configureBackoff(r)
		}
		return warnings, err
	})
}

// ReloadSuspend reads smtpd-suspend.yaml again.
func (d *Daemon) ReloadSuspend(ctx context.Context) (config.Warnings, error) {
	return d.reloadSmall(ctx, d.startup.Environment.SuspendConf, func(next *snapshot) (config.Warnings, error) {
		r := next.running
		s, warnings, err := LoadSuspend(d.startup, r, d.options.Files)
		if err != nil {
			return warnings, err
		}
		list, err := s.compile(r)
		if err == nil {
			err = d.queue.SetSuspensions(ctx, list)
		}
		if err == nil {
			r.Suspend = s
		}
		return warnings, err
	})
}

// ReloadDelivery reads smtpd-delivery.yaml again.
func (d *Daemon) ReloadDelivery(ctx context.Context) (config.Warnings, error) {
	return d.reloadSmall(ctx, d.startup.Environment.DeliveryConf, func(next *snapshot) (config.Warnings, error) {
		r := next.running
		file, warnings, err := LoadDelivery(d.startup, r, d.options.Files)
		if err != nil {
			return warnings, err
		}
		r.Delivery = file
		hooks := next.queue.Hooks
		if next.queue, err = next.queueSettings(); err != nil {
			return warnings, err
		}
		next.queue.Hooks = hooks
		d.courier.Configure(next.courierOptions(d.startup))
		d.queue.Reload(next.queue)
		return warnings, nil
	})
}

// reloadSmall runs read with a copy of what is in force, which it changes, and
// notes the copy as what is in force now.
func (d *Daemon) reloadSmall(ctx context.Context, path string, read func(*snapshot) (config.Warnings, error)) (config.Warnings, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := *d.current.Load()
	running := *next.running
	next.running = &running
	warnings, err := read(&next)
	if err != nil {
		return warnings, err
	}
	d.current.Store(&next)
	d.warn(warnings)
	d.log.Log(ctx, daemon.LevelNotice, "Reloaded "+path)
	return warnings, nil
}
