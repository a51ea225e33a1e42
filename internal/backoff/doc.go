// Package backoff slows mail down for those who complain of it, without being
// told where.
//
// A Watcher sees how attempts end. Replies that a Rule knows for a complaint
// about this sender as a whole, not about one recipient or message, lower the
// limits for the pair of source address and provider that drew them: in steps,
// each slower than the one before, and for some rules by a suspension first.
// When a step has been in force for a while without another complaint the one
// above it takes its place, until nothing is left; a relapse soon after makes
// each step last longer. Complaints that come right after a step are those of
// attempts that were under way, and do not count, so limits do not fall through
// all steps at once.
//
// What is in force are dynamic policies and suspensions of the queue like any
// other: they have an id, the reply as the reason and an end, and operators list,
// replace and delete them. What an operator has touched is left alone. They
// stand beside the limits of the configuration and only make them stricter.
//
// A success costs a comparison. Rules run on the worker of a failed attempt, and
// everything else on one goroutine, which is handed complaints over a queue of
// bounded length; places are bounded too, and those that have recovered are
// forgotten.
package backoff
