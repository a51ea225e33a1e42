package mail

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func sendMethod(f declare.Func) *value.Builtin {
	return declare.Method("send(string or array sender, array recipients, string or array server) array",
		"Delivers the message at once to a server, which is the id of a transport or an array of options. Returns an array of result (code, enhanced, reason, state) or error (temporary, message), connection and duration.", f)
}

func sendMessage(c *value.Call, m *Message) (value.Value, error) {
	v, err := m.view(c)
	if err != nil {
		return value.None, err
	}
	return m.kit.send(c, v)
}

func (k *Kit) send(c *value.Call, content Content) (value.Value, error) {
	if k.options.Sender == nil {
		return value.None, value.Errorf("%s: this program cannot send mail", c.Builtin.Name)
	}
	return k.options.Sender.Send(c, content, c.Args[0], c.Array(1), c.Args[2])
}
