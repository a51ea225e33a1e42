// Package spool keeps messages safe on disk and gives them back after a
// restart. It knows nothing of mail: a message is an opaque envelope, a body,
// and a number of entries (recipients) that each have a state and are done one
// by one.
//
// Messages lie in a log of segment files that are written once from beginning
// to end, and written over when nothing in them is needed any more. One
// goroutine, the committer, appends: it takes all that waits at a moment, writes
// it with one call and syncs once, while the next ones gather. So a message costs
// a full sync when it is alone and a small part of one when many come.
//
// What becomes of a message later is written as marks: the state of an entry, or
// its end. Marks ride with the next messages and nobody waits for them, unless he
// calls Flush. Of each message the store remembers 32 bytes: where it lies and
// how many entries are left.
//
// Two more goroutines work behind. The provider keeps a segment ready, overwrites
// drained ones and removes those that are too many. The mover writes the index of
// each full segment, from which a restart reads all but the bodies, and copies
// the last living messages out of segments that are mostly dead.
//
// DESIGN.md argues the order in which things reach the disk, and what a crash,
// a failed sync or a full disk leaves behind.
package spool

import (
	"errors"
	"fmt"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// What collecting and committing can end with. Match with errors.Is.
var (
	ErrLowSpace = errors.New("free space is below the configured minimum") // SMTP 452
	ErrDiskFull = errors.New("no space left")                              // SMTP 452
	ErrFailed   = errors.New("writing failed")                             // SMTP 451
	ErrClosed   = errors.New("store is closed")                            // SMTP 451
	ErrTooLarge = errors.New("too large")                                  // SMTP 552: envelope or body beyond 4 GiB
)

// What reading can end with.
var (
	ErrUnknown = errors.New("no such message")
	ErrCorrupt = errors.New("corrupt record")
)

// LockedError says that another process has the spool open.
type LockedError struct {
	Path string
	PID  int // 0: not known
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("spool: %s is in use by another process", e.Path)
	}
	return fmt.Sprintf("spool: %s is in use by process %d", e.Path, e.PID)
}

// MaxState is the most bytes that a state may have. With segments of less than
// 64 MiB it is less, an eighth of the first segment.
const MaxState = 1 << 20

// Options say where and how a Store keeps its messages. The zero value of each
// field but Path is a good choice.
type Options struct {
	// Path is the folder of the segments. It is made when missing.
	Path string

	// TempDir is where long bodies wait while they are received. Empty means Path.
	TempDir string

	// NoSync leaves out every sync: a crash of the machine, not of the process,
	// may then lose acknowledged mail.
	NoSync bool

	// SegmentSize is the size that segment files grow to, in bytes; at least
	// 128 KiB, 0 means 64 MiB. A message larger than a sixteenth of it gets a file
	// of its own.
	SegmentSize int64

	// Below MinFreeBytes or MinFreeInodes of free space, messages are refused
	// with ErrLowSpace. 0 means no such limit.
	MinFreeBytes, MinFreeInodes int64

	// MemoryBody is how many bytes of a body stay in memory while it is received;
	// a longer one goes to TempDir. 0 means 256 KiB.
	MemoryBody int64

	// CacheBytes bounds the cache of fresh bodies. 0 means that there is none.
	CacheBytes int64

	// LoaderThreads is how many goroutines Recover reads with. 0 means one per
	// processor.
	LoaderThreads int

	// Corrupt says what becomes of bad records and files found at load.
	Corrupt CorruptPolicy

	// FS is the file system. Nil means that of the operating system.
	FS vfs.FS

	Events Events
}

// CorruptPolicy says what becomes of bad records and files found at load. Those
// around them are recovered in any case.
type CorruptPolicy uint8

const (
	CorruptIgnore CorruptPolicy = iota // leave them; a segment with damage is not written over
	CorruptRename                      // set the bytes aside in a file that ends in ".corrupt"
	CorruptUnlink                      // drop them
)

// Events are the facts that an operator wants to read. Functions may be nil.
// They are called from the goroutines of the store, some of which others wait
// for, and must not call the store.
type Events struct {
	// Failed: a write or sync failed, and nothing more is written to the file.
	Failed func(file string, err error)
	// Full: there is no room for another segment, or there is again.
	Full func(full bool)
	// Corrupt: damage was found at load.
	Corrupt func(Corruption)
	// Foreign: the folder has a file that is not ours. It is left alone.
	Foreign func(name string)
}

func (e *Events) failed(file string, err error) {
	if e.Failed != nil {
		e.Failed(file, err)
	}
}

func (e *Events) full(full bool) {
	if e.Full != nil {
		e.Full(full)
	}
}

func (e *Events) corrupt(c Corruption) {
	if e.Corrupt != nil {
		e.Corrupt(c)
	}
}

func (e *Events) foreign(name string) {
	if e.Foreign != nil {
		e.Foreign(name)
	}
}
