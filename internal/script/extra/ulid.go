package extra

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func ulidLibrary(Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("ulid() string",
			"Returns a new identifier of 26 characters whose order is that of the time: a ULID. Those of one process rise even within a millisecond.",
			`$first = ulid(); echo length($first) . " " . (ulid() > $first); // 26 true`,
			func(*value.Call) (value.Value, error) { return value.String(ulids.next(time.Now())), nil }),
	})
}

// ulidSource makes identifiers of 48 bits of milliseconds and 80 random bits,
// which count up when the time does not (github.com/ulid/spec).
type ulidSource struct {
	mu   sync.Mutex
	last [16]byte
}

var ulids ulidSource

// crockford has no letters that look like digits.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

func (u *ulidSource) next(now time.Time) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var id [16]byte
	binary.BigEndian.PutUint64(id[:], uint64(now.UnixMilli())<<16)
	if string(id[:6]) <= string(u.last[:6]) {
		id = u.last
		increment(&id)
	} else {
		rand.Read(id[6:]) // never fails
		id[6] &= 0x7f     // so that counting up does not overflow
	}
	u.last = id
	// The text is of 130 bits, the first two of them 0.
	var padded [17]byte
	for i, b := range id {
		padded[i] |= b >> 2
		padded[i+1] |= b << 6
	}
	return crockford.EncodeToString(padded[:])[:26]
}

// increment adds one to a number of 16 bytes.
func increment(id *[16]byte) {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			return
		}
	}
}
