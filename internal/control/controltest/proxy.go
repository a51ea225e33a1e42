package controltest

import (
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
)

// Proxies has one proxy of each kind.
type Proxies struct{}

// Proxies implements control.Proxies.
func (Proxies) Proxies() []delivery.ProxyStatus {
	at := time.Date(2026, 11, 20, 10, 20, 30, 0, time.UTC)
	return []delivery.ProxyStatus{
		{Proxy: "10.0.0.2:2525", Since: at, Connections: 12, Failures: 1},
		{Proxy: "10.0.0.3:2525", Down: true, Reason: "connection refused", Since: at, Next: at.Add(20 * time.Second), Failures: 2},
		{Proxy: "[2001:db8::4]:2525"},
	}
}
