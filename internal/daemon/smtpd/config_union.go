package smtpd

import (
	"net/netip"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// The types of this file are those that a file may write in several forms.

// dnsPort is where DNS servers listen (RFC 1035 §4.2).
const dnsPort = 53

// DecodeNode reads true, false or a list of addresses and networks.
func (p *ProxyTrust) DecodeNode(n *config.Node) error {
	if n.Kind == config.Bool {
		*p = ProxyTrust{Enabled: n.Value() == true}
		return nil
	}
	*p = ProxyTrust{Enabled: len(n.Items) > 0}
	for _, item := range n.Items {
		prefix, err := config.ParsePrefix(item.Text)
		if err != nil {
			return err
		}
		p.From = append(p.From, prefix)
	}
	return nil
}

// DecodeNode reads a number of threads or the id of a pool.
func (p *ScriptPool) DecodeNode(n *config.Node) error {
	if size, ok := n.Int(); ok && n.Kind == config.Int {
		*p = ScriptPool{Size: int(size)}
		return nil
	}
	*p = ScriptPool{ID: n.Text}
	return nil
}

// DecodeNode reads true, false or a list of listener ids.
func (t *ImplicitTLS) DecodeNode(n *config.Node) error {
	*t = ImplicitTLS{All: n.Kind == config.Bool && n.Value() == true}
	for _, item := range n.Items {
		t.Listeners = append(t.Listeners, item.Text)
	}
	return nil
}

// DecodeNode reads the id of a hook, or a mapping with one and hooks by domain.
func (h *RecipientHook) DecodeNode(n *config.Node) error {
	if n.Kind == config.String {
		*h = RecipientHook{ID: n.Text}
		return nil
	}
	*h = RecipientHook{RecipientDomains: map[string]string{}}
	if id := n.Get("id"); id != nil {
		h.ID = id.Text
	}
	if domains := n.Get("recipientdomains"); domains != nil {
		for _, e := range domains.Entries {
			h.RecipientDomains[e.Key] = e.Value.Text
		}
	}
	return nil
}

// DecodeNode reads true, false or a host name.
func (s *SNI) DecodeNode(n *config.Node) error {
	if n.Kind == config.String {
		*s = SNI{Name: n.Text}
		return nil
	}
	*s = SNI{Host: n.Value() == true}
	return nil
}

// DecodeNode reads an address with or without a port.
func (u *Upstream) DecodeNode(n *config.Node) error {
	endpoint, err := config.ParseEndpoint(n.Text)
	if err != nil {
		return err
	}
	if endpoint.Port() == 0 {
		endpoint = netip.AddrPortFrom(endpoint.Addr(), dnsPort)
	}
	u.AddrPort = endpoint
	return nil
}

// DecodeNode reads the name of a queue field, or a mapping from it to the
// values that it rolls up.
func (f *PolicyField) DecodeNode(n *config.Node) error {
	if n.Kind == config.String {
		*f = PolicyField{Name: n.Text}
		return nil
	}
	for _, e := range n.Entries {
		*f = PolicyField{Name: e.Key, Rollup: map[string][]string{}}
		for _, to := range e.Value.Entries {
			f.Rollup[to.Key] = texts(to.Value)
		}
	}
	return nil
}

// texts returns a string or a list of strings as a list.
func texts(n *config.Node) []string {
	if n.Kind != config.List {
		return []string{n.Text}
	}
	var all []string
	for _, item := range n.Items {
		all = append(all, item.Text)
	}
	return all
}
