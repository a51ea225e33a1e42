// Package regex matches the regular expressions of PCRE2 against byte strings,
// within bounds of time and memory that the caller sets.
//
// A pattern is parsed into nodes (parse.go and the files named for what they
// read), compiled into a program (emit.go), and run by a machine (try.go). By
// default a character is a byte. With the flag UTF8 pattern and subject are
// UTF-8 and a character is a code point; a subject that is not UTF-8 is refused
// with ErrUTF8. The syntax is that of PCRE2 10.42; what is left out is refused
// with a SyntaxError that names the construct and its offset: \C in UTF-8 mode,
// script runs, bidirectional classes and some rare binary properties, and
// collating elements. Callouts are read and call nobody. Where PCRE2 refuses
// [\w-.], the hyphen is a hyphen here, as scripts expect.
//
// # The machine
//
// A program is a list of instructions. The machine has a program counter, a
// position in the subject, a state, and a stack. The state holds what the way
// through the pattern has found out so far: slot 0 is the start of the match,
// then come the groups, two slots each, and the notes of loops, atomic groups
// and alternations. The stack holds frames: the ways to try later, each an
// instruction, a position, and a copy of the state. So to go back is to take the
// top frame, whatever was done since, and to forget a choice is to lower the
// stack; no undo is written. There is no recursion in Go.
//
//	byte, text, fold, set       match characters, or fail
//	run                         matches min to max characters of a set; a frame
//	                            remembers its shortest end and the one in use
//	break, cluster, ref         \R, \X, and what a group has captured
//	begin … wordEdge            assert something of the position
//	split x y                   goes to x, leaving a frame that goes to y
//	jump x                      goes to x
//	save n                      state[n] = position
//	close n x                   state[n], state[n+1] = state[x], position
//	ifEmpty n x                 goes to x if state[n] is the position, which ends
//	                            loops whose body has matched nothing
//	note n … cut n              state[n] = height of the stack, which cut restores:
//	                            an atomic group
//	look x y … lookEnd          leaves a frame that goes to y; lookEnd drops all
//	                            frames from there on and goes to x, at the
//	                            position of the frame. A way may be nowhere.
//	back n                      moves n characters back, for lookbehinds
//	call x … return n           leaves a frame, goes to x, and on return behind the
//	                            call, with the captures of the frame
//	ifGroup y, ifCall y         go to y unless a condition holds
//	commit, prune, skip, then   leave a frame that acts when it is gone back to
//	mark                        leaves a frame that only has a name
//	accept, fail, match         end ways
//
// Counted repeats of groups are written out. Repeats of a single character are
// one instruction however many they may match.
//
// # What makes it fast
//
// For each instruction it is known which bytes can stand ahead if the rest is to
// match (lookahead.go). A split takes only ways that the next byte allows and
// leaves a frame only if it allows both; a run stops only where what follows can
// go on, and gives nothing back if that shares no byte with it. A search tries
// only places where a match can begin (start.go): behind a literal prefix, at
// certain bytes, at line starts, or nowhere if a required text is missing. There
// are two programs for a pattern with groups; the one for Match saves no captures
// that nobody asks for.
//
// # What makes it safe
//
// Most matches take few steps. One that takes more than some per byte of the
// subject begins to remember, in a bit for each choice and position, which
// choices it has made; a choice that was made before at the same position has
// failed and fails again at once (memory.go). From there on the time is linear
// in the length of the subject, for all patterns without back references,
// conditionals on groups, subroutine calls, verbs, \X, and repeats without bound
// inside of atomic groups and lookarounds: Pattern.Linear tells. All others are
// bound by the steps of the Budget and end with ErrSteps. The stack, and the
// memory of failures, are bound by its memory. A match asks its budget every few
// thousand steps whether it should stop.
package regex
