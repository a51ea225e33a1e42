package extra

import (
	"maps"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func telemetryLibrary(Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("telemetry_feed(array data)",
			"Takes what other installations send to a vendor, and drops it: this program sends nothing to anybody.",
			`telemetry_feed(["a" => 1]); echo "done"; // done`,
			func(*value.Call) (value.Value, error) { return value.None, nil }),
	})
}

// What is known and not here, with what to do about it.
func init() {
	const (
		service = "this is the client of a commercial service, which this program does not have; remove the import, or ask the service by http()"
		stores  = "this program has no client of that store; use http_bulk (extras://http-bulk) to hand data to a service that writes there, or rate (extras://rate) to count"
	)
	for _, name := range []string{"cloudmark", "vade", "f-secure", "cyren", "kaspersky", "sophos", "eleven", "msui-client"} {
		elsewhere[name] = service
	}
	for _, name := range []string{"redis", "rate-redis", "kafka", "cassandra", "couchbase", "mariadb", "postgresql", "sqlite", "rabbitmq", "pubsub", "s3"} {
		elsewhere[name] = stores
	}
	elsewhere["jlog"] = "this program does not write jlog queues; use logger (extras://logger) for a file, or http_bulk (extras://http-bulk) for a queue on disk"
	maps.Copy(aliases, map[string]string{"suppression": "suppression-list"})
}
