package control

import (
	"slices"
	"strings"

	"connectrpc.com/connect"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// Condition is a field that entries can be selected by: one table for the
// flags of ctl, their completion and their documentation. What the values mean
// is the queue's business; a test holds the table against it.
type Condition struct {
	Field  string
	Value  string // what stands for a value in help
	Help   string
	Values []string // the only ones there are; nil: any
}

// Conditions are all of them, in the order of help.
func Conditions() []Condition { return conditions }

var stateNames = []string{"ACTIVE", "DEFER", "SENDING", "HOLD", "UNKNOWN"}

var conditions = []Condition{
	{"id", "TXID[:QUEUEID]", "message, or one recipient of it", nil},
	{"state", "STATE", strings.Join(stateNames, ", "), stateNames},
	{"recipient", "ADDRESS", "recipient: address, @domain or local@; * stands for any text, a capital makes the local part count by case", nil},
	{"recipientdomain", "DOMAIN", "domain of the recipient; * stands for any text", nil},
	{"sender", "ADDRESS", "sender, as with --recipient; <> is the null sender", nil},
	{"senderdomain", "DOMAIN", "domain of the sender; * stands for any text", nil},
	{"transportid", "ID", "transport; * stands for any text", nil},
	{"jobid", "ID", "job; * stands for any text", nil},
	{"tenantid", "ID", "tenant; * stands for any text", nil},
	{"grouping", "NAME", "grouping of the destination, such as &google, while ACTIVE or SENDING", nil},
	{"localip", "ADDRESS", "source address or network, while SENDING", nil},
	{"remotemx", "DOMAIN", "first host to be tried, while ACTIVE or SENDING", nil},
	{"remoteip", "ADDRESS", "its address or network", nil},
	{"reason", "TEXT", "part of why the last attempt failed", nil},
	{"retrycount", "NUMBER", "attempts so far: 3, >3, 1..5", nil},
	{"retrydelay", "SPAN", "time until the next attempt: <10m, 1h..2h", nil},
	{"age", "SPAN", "time since the message was received: >1h, <1d12h", nil},
	{"ts", "SECONDS", "when the message was received, in seconds since 1970", nil},
	{"size", "SIZE", "of the message: >1MiB", nil},
	{"priority", "NUMBER", "0 or 1", nil},
	{"serverid", "ID", "server that took the message", nil},
	{"senderip", "ADDRESS", "client that handed the message in: address or network", nil},
	{"senderhelo", "DOMAIN", "HELO name of that client", nil},
	{"saslusername", "NAME", "name that the client authenticated as", nil},
	{"quota", "NAME", "quota that the entry counts towards", nil},
	{"subject", "TEXT", "part of the subject; reads each message from disk", nil},
	{"metadata", "NAME=VALUE", "metadata, also NAME>=NUMBER; reads each message from disk", nil},
}

// filter compiles the conditions of a request.
func filter(from []*pb.QueueCondition) (*queue.Filter, error) {
	conditions := make([]queue.Condition, 0, len(from))
	for _, c := range from {
		if len(c.Values) == 0 {
			return nil, invalid("condition %s without a value", c.Field)
		}
		conditions = append(conditions, queue.Condition{Field: c.Field, Values: c.Values})
	}
	f, err := queue.NewFilter(conditions)
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	return f, nil
}

// describe writes conditions as a line for the audit.
func describe(conditions []*pb.QueueCondition) string {
	words := make([]string, 0, len(conditions))
	for _, c := range conditions {
		words = append(words, c.Field+"="+strings.Join(c.Values, "|"))
	}
	slices.Sort(words)
	if len(words) == 0 {
		return "everything"
	}
	return strings.Join(words, " ")
}
