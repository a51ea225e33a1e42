// Package policy says which deliveries may start now, and why the others wait.
//
// A delivery is described by a Tuple: the eight fields of spec config.md 1.5,
// one of which is the source address. Rules are what operators wrote in the
// policy file: an ordered list of policies, each of which keeps a counter for
// every combination of values of its fields and bounds it by concurrency, rate
// and the interval between connections. Suspensions hold back what matches
// them.
//
// An Engine holds the state. Sub-queues are Lines to it: all that goes the same
// way as far as policies and suspensions can tell. A Line has one way for each
// source address that its entries may leave from. Next hands out the Line whose
// turn it is together with a Reservation of a unit of every counter that binds
// it; the Reservation is released when the attempt has ended. Units are taken
// and given back by one goroutine, so a limit holds at every instant.
//
// A way that finds a counter full, or itself suspended, waits in the list of
// that counter or suspension and costs nothing until there is room. DESIGN.md
// argues how, and what that costs.
//
// Matchers and tables of them also choose groupings and delivery settings.
package policy
