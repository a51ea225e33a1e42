package regex

import (
	"errors"
	"fmt"
)

// SyntaxError says why a pattern cannot be compiled.
type SyntaxError struct {
	// Pattern is the whole pattern, without delimiters and modifiers.
	Pattern string
	// Offset is the byte of the pattern where the reason was seen: mostly just
	// behind the construct that is wrong.
	Offset int
	// Reason is the mistake in words, beginning in lower case.
	Reason string
}

// Error returns the reason and the offset.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("regex: %s at offset %d", e.Reason, e.Offset)
}

// Errors that end a match before it is known whether there is one.
var (
	// ErrSteps: the pattern went back and tried again more often than allowed.
	ErrSteps = errors.New("regex: the match takes too many steps")
	// ErrStack: more ways to try later were open at once than memory allows.
	ErrStack = errors.New("regex: the match takes too much memory")
	// ErrRecursion: the pattern calls itself without moving on in the subject.
	ErrRecursion = errors.New("regex: the pattern recurses without end")
	// ErrUTF8: the pattern is in UTF-8 mode and the subject is not UTF-8.
	ErrUTF8 = errors.New("regex: the subject is not valid UTF-8")
	// ErrSubject: the subject has 2 GiB or more.
	ErrSubject = errors.New("regex: the subject is too long")
)
