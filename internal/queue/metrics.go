package queue

import "github.com/posthaste-mta/posthaste/internal/metric"

// Metrics counts what the queue does. Names are those of spec operations.md
// 20.2; sizes are published once per round of the schedule.
type Metrics struct {
	Delivered metric.Counter `name:"queue_delivery_delivered" help:"Recipients delivered."`
	Delayed   metric.Counter `name:"queue_delivery_delayed" help:"Attempts that ended with another retry to come."`
	Failed    metric.Counter `name:"queue_delivery_failed" help:"Recipients given up."`

	Loaded   metric.Counter `name:"queue_loader_count" help:"Messages taken into memory since the start."`
	InMemory metric.Gauge   `name:"queue_loader_active" help:"Messages in memory."`
	OnDisk   metric.Gauge   `name:"queue_loader_pending" help:"Messages on disk that wait for room in memory."`
	Limit    metric.Gauge   `name:"queue_loader_maxactive" help:"Limit of messages in memory, queues.maxmessages; 0 is none." kind:"counter"`

	Active   metric.Gauge `name:"queue_queue_active_size" help:"Entries ready to be sent or being sent."`
	Deferred metric.Gauge `name:"queue_queue_defer_size" help:"Entries that wait for their next attempt."`
	Held     metric.Gauge `name:"queue_freeze_hold_size" help:"Entries on hold."`
	Quotas   metric.Gauge `name:"queue_quota_size" help:"Quotas that something counts towards."`

	PickedUp      metric.Counter `name:"queue_pickup_count" help:"Entries picked up for an attempt."`
	PutBack       metric.Counter `name:"queue_pickup_putback" help:"Entries picked up and put back, because the way had changed or the source address could not be used."`
	PickupPending metric.Gauge   `name:"queue_pickup_pending" help:"Entries picked up whose attempt has not ended."`
	Releasing     metric.Gauge   `name:"queue_release_pending" help:"Entries on their way out without an attempt."`
	Groups        metric.Gauge   `name:"queue_groups_size" help:"Sub-queues with entries."`
	Errors        metric.Counter `name:"queue_errors" help:"Failures of our own: a message or a report that could not be read or stored."`
}

// PriorityMetrics are the sizes of one priority.
type PriorityMetrics struct {
	Active metric.Gauge `name:"queue_queue_active_priorities_size" help:"Entries ready to be sent."`
}
