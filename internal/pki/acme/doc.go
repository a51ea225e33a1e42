// Package acme obtains certificates by the ACME protocol (RFC 8555) and renews
// them for as long as somebody wants them.
//
// A Keeper is told which names want a certificate. For each it keeps a Record,
// which says what was obtained, what failed, and when the next attempt is due;
// the record survives restarts, so that a program that is started again and
// again orders no more often than one that runs. One goroutine looks for the
// name that is due first and hands it to one of a few workers. An attempt is a
// check that we reach ourselves by the name (selfcheck.go), which costs nothing
// at the authority, and then one order for one name (issuer.go).
//
// When to renew is the authority's wish (RFC 9773) or a share of the
// certificate's life; after failures a ladder of waits from a minute to half a
// day is climbed. Both are pure functions, in schedule.go. Budgets keep below
// what public authorities allow (budget.go), so that thousands of names come in
// over hours rather than all at once.
//
// What was obtained is published in the Storage, handed to handshakes at once
// through Certificates, copied for other programs (export.go), and only then
// announced to hooks (hook.go), in the manner of certbot.
//
// The protocol itself is that of github.com/mholt/acmez, whose types stay in
// issuer.go and challenge.go.
package acme
