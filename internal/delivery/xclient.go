package delivery

import (
	"maps"
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// xclient passes on what the transport is to tell of the client, to a host that
// takes XCLIENT, and only those attributes that it takes. The host begins anew
// after that.
func (c *client) xclient(a *Attempt) *Outcome {
	offered := strings.Fields(strings.ToUpper(c.ext["XCLIENT"]))
	command := []byte("XCLIENT")
	for _, name := range slices.Sorted(maps.Keys(c.XClient)) {
		if upper := strings.ToUpper(name); slices.Contains(offered, upper) {
			command = append(append(append(command, ' '), upper...), '=')
			command = smtp.AppendXtext(command, c.XClient[name])
		}
	}
	if len(command) == len("XCLIENT") {
		return nil
	}
	r, out := c.ask(StageXCLIENT, string(command))
	if out != nil {
		return out
	}
	if !r.Positive() {
		out = refusal(StageXCLIENT, r)
		out.Status = Deferred // we are not allowed to; the message is innocent
		return out
	}
	return c.hello(a)
}
