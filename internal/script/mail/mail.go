// Package mail is messages as scripts see them: the classes MailMessage, MIMEPart
// and EODMailMessage, which show and change a message that came in, and MIME,
// which builds one (spec hsl-stdlib.md 14 and 15).
//
// The classes are thin: what a part is, how an edit leaves every other byte as it
// came and how a built message is written lies in packages mime and build, and
// signatures are made and checked by package dkim. A Kit joins them to what the
// program around the scripts has: keys, a pool for signing, DNS, a queue and a
// sender. Each of these may be missing, as in a script outside the MTA; then
// what needs it throws and says so.
//
// Bodies stay where they are. A message is read through its source (the body of
// the spool, a file, a string), its edits are a list over the original, and what
// is queued or sent is the original with that list laid over it.
//
// An object belongs to the script that has it and cannot be shared with others.
// The message of an eod hook can be carried on in $context, but its bytes end with
// the hook: what is done with it later throws.
package mail

import (
	"context"
	"crypto"
	"io"
	"sync"

	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
)

// Options are what the classes need of the program. All are optional, and all
// must be safe for concurrent use.
type Options struct {
	// Keys are the private keys that signDKIM knows by name.
	Keys Keys
	// Pool bounds how many signatures are made at once; without one there is a
	// pool of the Kit's own.
	Pool *dkim.Pool
	// Resolver finds the keys for verifyDKIM.
	Resolver dkim.Resolver
	// Queue takes what scripts queue by themselves.
	Queue Queue
	// Sender delivers what scripts send.
	Sender Sender
	// Limits bound what a message can cost.
	Limits mime.Limits
}

// Keys knows the private keys of the configuration.
type Keys interface {
	// PrivateKey returns the key of that name, or nil.
	PrivateKey(id string) crypto.Signer
}

// Queue takes messages that scripts make.
type Queue interface {
	// Queue makes the content durable with the recipients of the envelope and
	// schedules it, at once. It gives the envelope its id, time and size. An
	// error means that nothing is left of it.
	Queue(ctx context.Context, m *envelope.Message, content Content) error
}

// Content is the finished bytes of a message, CRLF line ends, not dot-stuffed.
// They are the same each time that they are written.
type Content interface {
	io.WriterTo
	Size() int64
}

// Sender delivers messages at once, while the script waits (spec hsl-stdlib.md
// 13).
type Sender interface {
	// Send makes one attempt. Addresses are what the script gave: a string or an
	// array of localpart, domain and perhaps params; ParseAddress reads them. The
	// server is the id of a transport or the array of options. The value is the
	// result as the script sees it. An error is an exception for what cannot be
	// tried at all; what ends the script must be handed on as it is.
	Send(c *value.Call, m Content, sender value.Value, recipients *value.Array, server value.Value) (value.Value, error)
}

// Kit makes the classes for one configuration. It is immutable and safe for
// concurrent use.
type Kit struct {
	options     Options
	classes     []*value.Class
	mailMessage *value.Class
	mime        *value.Class
	keys        keyCache
}

// New returns the classes.
func New(o Options) *Kit {
	if o.Pool == nil {
		o.Pool = sharedPool()
	}
	k := &Kit{options: o}
	k.mailMessage = k.mailMessageClass()
	k.mime = k.mimeClass()
	k.classes = []*value.Class{k.mime, k.mailMessage, partClass}
	return k
}

// sharedPool is that of all who bring none.
var sharedPool = sync.OnceValue(func() *dkim.Pool { return dkim.NewPool(0) })

// Pool returns where signatures are made.
func (k *Kit) Pool() *dkim.Pool { return k.options.Pool }

// Declarations are the classes, functions and loaders that scripts find in every
// phase and outside of the MTA.
func (k *Kit) Declarations() value.Declarations {
	return value.Declarations{
		Classes:  k.classes,
		Builtins: []*value.Builtin{k.mailFunction()},
		Loaders:  map[string]value.DataLoader{"eml": k.load},
	}
}

// Library returns base with the Declarations.
func (k *Kit) Library(base *value.Library) *value.Library {
	return value.NewLibrary(base, k.Declarations())
}
