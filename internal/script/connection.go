package script

import (
	"crypto/tls"
	"net/netip"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/session"
)

// connectionValue is $connection (spec hsl-phases.md 1.4).
func connectionValue(c *session.Connection) value.Value {
	return record(
		"id", value.String(c.ID.String()),
		"priority", number(c.Priority),
		"remoteip", ip(c.Remote.Addr()),
		"remoteport", port(c.Remote),
		"remoteptr", optional(c.PTR.Name),
		"remoteuid", uid(c),
		"localip", ip(c.Local.Addr()),
		"localport", port(c.Local),
		"serverid", value.String(c.ServerID),
		"helo", heloValue(c),
		"tls", tlsValue(c),
		"auth", authValue(c),
	)
}

// beginning is $connection in the connect phase, which knows only who we are:
// the rest is in $arguments, and the hook may yet change it.
func beginning(c *session.Connection) value.Value {
	return record("id", value.String(c.ID.String()), "priority", number(c.Priority))
}

func ip(a netip.Addr) value.Value {
	if !a.IsValid() {
		return value.Undefined
	}
	return value.String(a.String())
}

func port(a netip.AddrPort) value.Value {
	if !a.IsValid() {
		return value.Undefined
	}
	return number(a.Port())
}

func uid(c *session.Connection) value.Value {
	if !c.HasUID {
		return value.Undefined
	}
	return number(c.UID)
}

func heloValue(c *session.Connection) value.Value {
	if c.Helo.Verb == "" {
		return value.Undefined
	}
	return record("verb", value.String(c.Helo.Verb), "host", value.String(c.Helo.Host))
}

func authValue(c *session.Connection) value.Value {
	if c.Auth.Mechanism == "" {
		return value.Undefined
	}
	return record("mechanism", value.String(c.Auth.Mechanism), "username", optional(c.Auth.Username))
}

func tlsValue(c *session.Connection) value.Value {
	if c.TLS == nil {
		return value.Undefined
	}
	return record(
		"protocol", value.String(c.TLS.Protocol()),
		"cipher", value.String(c.TLS.Cipher()),
		"keysize", number(keySize(c.TLS.CipherSuite)),
		"sni", optional(c.TLS.ServerName),
		"peercert", clientCertificate(c.TLS.PeerCertificates),
	)
}

// keySize is the size of a cipher's symmetric key in bits.
func keySize(suite uint16) int {
	switch suite {
	case tls.TLS_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA:
		return 128
	}
	return 256
}

// transactionValue is $transaction. Keys appear as the transaction advances; t
// is nil outside of one. At the end of a connection there is none to come.
func transactionValue(phase session.Phase, c *session.Connection, t *session.Transaction) value.Value {
	switch {
	case phase == session.PhaseDisconnect:
		return value.FromArray(value.NewArray(0))
	case t == nil:
		return record("id", value.String(c.Transaction.String()))
	}
	recipients := value.NewArray(len(t.Recipients))
	for i := range t.Recipients {
		recipients.Append(recipientValue(&t.Recipients[i]))
	}
	return record(
		"id", value.String(t.ID.String()),
		"ts", value.Number(float64(t.Begun.UnixMilli())/1000),
		"sender", folded(t.Sender),
		"senderaddress", addressValue(t.Sender),
		"senderparams", params(t.Params),
		"recipients", value.FromArray(recipients),
	)
}

// recipientValue is an element of $transaction["recipients"]. Scripts of old
// know the parameters under another name.
func recipientValue(r *session.Recipient) value.Value {
	return record(
		"recipient", folded(r.Address),
		"address", addressValue(r.Address),
		"params", params(r.Params),
		"recipientparams", params(r.Params),
		"transportid", value.String(r.Transport),
	)
}
