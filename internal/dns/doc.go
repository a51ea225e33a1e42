// Package dns asks the domain name system what a mail system wants to know:
// where a domain takes its mail, what a host is called, which texts and TLSA
// records stand at a name.
//
// A Resolver is a stub: it asks recursive resolvers, the Options' own or those
// of resolv.conf, by UDP and after truncation by TCP. It validates nothing
// itself. Whether an answer was validated is taken from the AD bit of an
// upstream that is on loopback or that the operator trusts (RFC 6840 §5.8), so
// DANE wants a validating resolver on the same machine.
//
// Every question passes the same way. The cache answers if it can. Otherwise
// the question joins an identical one that is under way, or becomes a flight of
// its own: it takes one of the slots that bound how many queries run, asks the
// upstreams in turn until one gives a usable answer, and leaves that answer in
// the cache for all who wait. Failures are kept for a few seconds as well
// (RFC 9520), so that a broken domain with many messages costs few queries.
//
// Query gives whole answers with their response code. The lookups above it (MX,
// Addresses, TXT, …) follow aliases and turn missing data into errors that can
// be told apart with errors.Is. On top stands Destinations, which orders the
// hosts of a mail domain as RFC 5321 §5.1 wants, reproducibly for one message
// and retry, over a cache of its own that spares the many small lookups.
//
// Names go in with or without final dot and in any script; they come out in
// lower-case A-labels without final dot. The wire format is that of
// github.com/miekg/dns, whose types stay inside this package.
package dns
