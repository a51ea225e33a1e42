// Package delivery hands messages to the next hop: it finds the hosts, connects,
// speaks SMTP or LMTP, and says how it went.
//
// A Courier does this for the queue in two steps. Resolve turns an Attempt into
// a Destination, the hosts to try in order, so that the queue knows where an
// entry goes before it is its turn. Deliver then tries those hosts until one
// speaks with us and returns an Outcome: delivered, deferred or failed, at which
// stage, with the peer's reply or our own words in its place, and with the cause
// apart from that for the log.
//
// A host that cannot be reached, or that turns us away before MAIL, only makes
// the next one be tried; what is said from MAIL on is about the message and ends
// the attempt. When no host lets us in, the attempt is deferred as long as one
// of them may yet, and the reply of a host says more than an error of the
// network.
//
// A client is one connection. The commands of a transaction go out in one write
// when the host takes PIPELINING, with the message behind them when it takes
// CHUNKING and the message is small. Connections of transports that pool them
// wait between transactions in the pool, filed under everything that must be
// equal to share one. A pooled connection that its peer has closed meanwhile is
// replaced without a word.
//
// The settings of a Transport are not changed once in use; what is computed from
// them is a profile, made once per transport.
//
// Files: courier.go is the way of one attempt, route.go the look-up, dial.go
// connections and source addresses, proxy.go those through a proxy and
// health.go which proxies can be used, client.go the conversation up to MAIL with
// starttls.go, auth.go and xclient.go, transaction.go and body.go that from MAIL
// on, pool.go what waits, and failure.go the words for what goes wrong.
package delivery
