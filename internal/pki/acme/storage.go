package acme

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrAbsent is returned, perhaps wrapped, for what is not in a Storage.
var ErrAbsent = errors.New("acme: not in storage")

// Storage keeps what must outlive the process: key pairs, accounts, the state
// of every name, and the answers to challenges. Several processes may use one
// storage at once: nodes of a cluster, or programs of one host. Package
// storagetest holds implementations to what follows.
//
// Values are small, a few kilobytes. Keys are words separated by slashes; each
// word has letters, digits and "-", "_", ".", does not begin with a dot, and is
// at most 255 bytes long. Names of certificates are domains in lower case, with
// "*." before those of wildcards.
//
// A method that returns nil has done its work for good: what it stored is there
// after the power fails. One that returns an error may have done it or not. No
// reader ever sees half a value, or a key with the chain of another one. What
// was stored is seen by every later Load on the same node, and by other nodes
// soon. All methods may be called by many goroutines at once, and give up with
// the error of the context when it ends.
//
// Nobody but the owner and its group can read what is stored. An implementation
// that finds out that others can says so with an error and refuses the value.
type Storage interface {
	// Load returns the value of a key, or ErrAbsent.
	Load(ctx context.Context, key string) ([]byte, error)
	// Store sets it.
	Store(ctx context.Context, key string, value []byte) error
	// Delete removes it. To remove what is not there is no error.
	Delete(ctx context.Context, key string) error
	// List returns, in ascending order, the words that stand directly beneath a
	// key, whether they have a value or further words beneath them. It returns
	// nothing, and no error, for a key that does not exist.
	List(ctx context.Context, key string) ([]string, error)

	// StorePair publishes the pair of a name in one step, in place of the one
	// before.
	StorePair(ctx context.Context, name string, p *Pair) error
	// LoadPair returns what was published last, or ErrAbsent.
	LoadPair(ctx context.Context, name string) (*Pair, error)
	// Retire takes a name with its pair and its state out of service and keeps
	// them aside for people to look at. To retire what is not there is no error.
	Retire(ctx context.Context, name string) error
	// Lineage returns a folder of this host with fullchain.pem, chain.pem,
	// cert.pem and privkey.pem of the name as they were published last. Its path
	// stays the same when the pair changes. It is ErrAbsent before StorePair.
	Lineage(ctx context.Context, name string) (string, error)

	// Lock returns when nobody else holds the lock of that key, in this process
	// or another. The lock of a process that dies is free soon after. The
	// returned function gives it back and may be called once.
	Lock(ctx context.Context, key string) (unlock func(), err error)
}

// Pair is a private key and its chain, in PEM.
type Pair struct {
	Key   []byte
	Chain []byte // leaf first
}

// maxWord is what file systems allow.
const maxWord = 255

// CheckKey says what is wrong with a key, for implementations of Storage.
func CheckKey(key string) error {
	for _, word := range strings.Split(key, "/") {
		if word == "" || len(word) > maxWord || word[0] == '.' || strings.IndexFunc(word, notInKeys) >= 0 {
			return fmt.Errorf("acme: %q is no key of a storage", key)
		}
	}
	return nil
}

func notInKeys(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

// Word returns the name of a certificate as a word of keys and paths.
func Word(name string) string {
	if rest, wild := strings.CutPrefix(name, "*."); wild {
		return "_wildcard." + rest
	}
	return name
}

// nameOf undoes Word.
func nameOf(word string) string {
	if rest, wild := strings.CutPrefix(word, "_wildcard."); wild {
		return "*." + rest
	}
	return word
}

// The keys that the manager uses.
const (
	certsKey      = "certs"
	challengesKey = "challenges"
)

func recordKey(name string) string { return certsKey + "/" + Word(name) + "/meta.json" }

func challengeKey(token string) string { return challengesKey + "/" + token }
