// Package spool keeps messages safe on disk and gives them back after a
// restart. It knows nothing of mail: a message is an opaque envelope, a body,
// and a number of entries (recipients) that each have a state and are done one
// by one.
//
// The exported signatures of this file are settled; see each for what it
// promises.
package spool

import (
	"context"
	"errors"
	"io"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// What a commit, or the collecting of a body, can end with. Match with errors.Is.
var (
	ErrLowSpace = errors.New("free space is below the configured minimum") // SMTP 452
	ErrDiskFull = errors.New("no space left")                              // SMTP 452
	ErrFailed   = errors.New("writing failed")                             // SMTP 451
	ErrTooLarge = errors.New("message too large")                          // SMTP 552: envelope or body beyond 4 GiB
	ErrClosed   = errors.New("store is closed")                            // SMTP 451
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

// CorruptPolicy says what becomes of bad records and files found at load.
type CorruptPolicy uint8

const (
	CorruptIgnore CorruptPolicy = iota // leave them; a segment with a bad record is not reused
	CorruptRename                      // set the bytes aside in a file that ends in ".corrupt"
	CorruptUnlink                      // drop them
)

// Options say where and how a Store keeps its messages.
type Options struct {
	Path          string // folder of the segments; made when missing
	TempDir       string // where long bodies wait while they are received; "" means Path
	NoSync        bool   // do not sync: a crash of the machine may lose acknowledged mail
	SegmentSize   int64  // bytes; 0 means 64 MiB
	MinFreeBytes  int64  // refuse messages below this many free bytes; 0: off
	MinFreeInodes int64  // refuse messages below this many free inodes; 0: off
	MemoryBody    int64  // longer bodies spill to TempDir; 0 means 256 KiB
	CacheBytes    int64  // bound of the cache of fresh bodies; 0: no cache
	LoaderThreads int    // parallel readers in Recover; 0 means one per core
	Corrupt       CorruptPolicy
	FS            vfs.FS // nil means the operating system's
	Events        Events
}

// Handle names a living message. It is small, stable as long as the message
// lives, and used again after that. Zero is never given out.
type Handle uint32

// Recovered is one living message found by Recover. Its slices are valid until
// the callback returns.
type Recovered struct {
	Handle   Handle
	Envelope []byte
	BodySize int64
	Entries  uint32           // how many the message was committed with
	States   []RecoveredEntry // entries not done that have a state, ascending
	Done     []uint32         // entries already done, ascending
}

// RecoveredEntry is the newest state recorded of one entry.
type RecoveredEntry struct {
	Entry uint32 // from 1
	State []byte
}

// Open takes the spool folder and makes it ready to append. It only lists the
// segments, so that it takes the same short time however much mail waits.
// When another process holds the folder the error is a *LockedError.
func Open(o Options) (*Store, error) { panic("spool: in the making") }

// Recover hands over everything alive that was there at Open. It may be called
// once, and while new messages are committed. Up to LoaderThreads goroutines
// call found at the same time. When found returns an error, Recover stops and
// returns it. Nothing is recycled or copied forward before Recover ended well.
func (s *Store) Recover(ctx context.Context, found func(Recovered) error) error {
	panic("spool: in the making")
}

// NewMessage begins the collection of a body.
func (s *Store) NewMessage() *Message { panic("spool: in the making") }

// Write appends to the body. Beyond Options.MemoryBody it spills to a file.
func (m *Message) Write(p []byte) (int, error) { panic("spool: in the making") }

// Size is the number of bytes written so far.
func (m *Message) Size() int64 { panic("spool: in the making") }

// ReadAt and WriteTo read what was written so far, also after Commit, until
// Discard.
func (m *Message) ReadAt(p []byte, off int64) (int, error) { panic("spool: in the making") }
func (m *Message) WriteTo(w io.Writer) (int64, error)      { panic("spool: in the making") }

// Commit returns when the message is on disk, in one sync with everything
// else that waited. Entries are numbered from 1 to entries. ctx is looked at
// before the message is handed to the log; after that Commit waits for the
// outcome, so that an error always means that nothing is left behind.
func (m *Message) Commit(ctx context.Context, envelope []byte, entries int) (Handle, error) {
	panic("spool: in the making")
}

// Discard gives the buffers back. Call it in every case, after Commit too;
// the committed message is not touched by it. The Message is not used after it.
func (m *Message) Discard() { panic("spool: in the making") }

// Body opens the body of a living message. It stays readable until closed,
// even when the message ends meanwhile.
func (s *Store) Body(h Handle) (*Body, error) { panic("spool: in the making") }

func (b *Body) Size() int64                             { panic("spool: in the making") }
func (b *Body) ReadAt(p []byte, off int64) (int, error) { panic("spool: in the making") }

// WriteTo writes the whole body. It returns an error that is ErrCorrupt, after
// having written, when the checksum does not fit: the receiver must not be
// told that the message is complete.
func (b *Body) WriteTo(w io.Writer) (int64, error) { panic("spool: in the making") }
func (b *Body) Close() error                       { panic("spool: in the making") }

// Envelope reads the envelope of a living message.
func (s *Store) Envelope(h Handle) ([]byte, error) { panic("spool: in the making") }

// SetState records the state of an entry. It rides in the next commit and
// waits for nothing; a later state of the same entry replaces it. The store
// keeps no copy of state after that.
func (s *Store) SetState(h Handle, entry uint32, state []byte) { panic("spool: in the making") }

// Done says that an entry needs no more. It rides in the next commit and waits
// for nothing. Call it exactly once for each entry: the store counts entries,
// it does not remember them. With the last one the message is dead and h is
// released.
func (s *Store) Done(h Handle, entry uint32) { panic("spool: in the making") }

// Flush waits until everything handed in before is on disk.
func (s *Store) Flush(ctx context.Context) error { panic("spool: in the making") }

// Space says what the file system has left.
type Space struct {
	Bytes, Inodes int64
	Low           bool // below Options.MinFreeBytes or MinFreeInodes
}

// Free reports the space left, at most a second old.
func (s *Store) Free() Space { panic("spool: in the making") }

// Close flushes, writes the index of the open segment and releases the folder.
func (s *Store) Close() error { panic("spool: in the making") }

// Events are the facts that an operator wants to read. Nil functions are not called.
// They are called from the store's goroutines and must return quickly.
type Events struct {
	Failed  func(file string, err error) // a write or sync failed; nothing more is appended to the file
	Full    func(full bool)              // the disk became full, or has room again
	Corrupt func(c Corruption)           // found at load
	Foreign func(name string)            // a file in the folder that is not ours
}

// Corruption is a stretch of bytes that could not be understood.
type Corruption struct {
	File           string
	Offset, Length int64
	Err            error
	Action         string // "left", "renamed to X" or "dropped"
}

type Store struct{ Metrics Metrics }

// Body reads the body of one message.
type Body struct{}

// Message collects one body and commits it. It is used by one goroutine at a
// time; the reading methods may run side by side after the last Write.
type Message struct{}

// Metrics are the store's counters, for package metric.
type Metrics struct{}
