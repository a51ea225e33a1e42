package mail

import (
	"crypto"
	"crypto/sha256"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/cipher"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/message/build"
	"github.com/posthaste-mta/posthaste/internal/message/field"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
	"github.com/posthaste-mta/posthaste/internal/message/patch"
)

// signOptions are those of signDKIM (spec hsl-stdlib.md 14.1).
var signOptions = []value.Option{
	declare.Option(`string canonicalization_header = "relaxed"`, "relaxed or simple."),
	declare.Option(`string canonicalization_body = "relaxed"`, "relaxed or simple."),
	declare.Option("string algorithm", "rsa-sha256, ed25519-sha256 or rsa-sha1; without it the one that goes with the key."),
	declare.Option("array headers", "Names of the fields to sign in place of those that RFC 6376 advises."),
	declare.Option("array additional_headers", "Names of fields to sign besides."),
	declare.Option("array oversign_headers", "Names of fields that nobody may add later; without it From."),
	{Name: "timestamp", Type: value.BooleanType | value.NumberType, Default: value.False, Doc: "Say when it was signed: now, or the Unix time given."},
	declare.Option("number expiration", "The Unix time at which the signature ends."),
	declare.Option("number expiration_relative", "Seconds after the timestamp at which the signature ends."),
	declare.Option("string identity", "Who signs, within the domain."),
	declare.Option("number body_length", "How many bytes of the body are signed; anybody may add to a message signed so."),
	declare.Option("boolean id", "Whether the key is the name of one in the configuration or its text; without it both are tried."),
}

// mailSignOptions are those that only messages have which came in.
var mailSignOptions = append(slices.Clone(signOptions),
	declare.Option("boolean return_header = false", "Return the value of the field instead of adding it."),
	value.Option{Name: "arc", Type: value.BooleanType | value.NumberType, Default: value.False,
		Doc: "Make an ARC-Message-Signature (RFC 8617) of the instance given; true takes the one behind those that are there."},
)

// signer is what signDKIM(selector, domain, key, options) asks for. The error is
// an exception for options that make no sense; nil without one says that there
// is no such key, or not for such signatures.
func (k *Kit) signer(c *value.Call) (*dkim.Signer, error, error) {
	return k.signerOf(c, c.Str(0), c.Str(1), c.Args[2], c.Options(3))
}

// Signer returns what signs as an array of selector, domain, key and the options
// of signDKIM says, for messages that scripts do not see themselves. c is the
// call that the array was given to.
func (k *Kit) Signer(c *value.Call, a *value.Array) (*dkim.Signer, error) {
	o, err := value.CheckOptions(c.Builtin.Name, signOptions, a)
	if err != nil {
		return nil, err
	}
	selector, _ := a.GetString("selector")
	domain, _ := a.GetString("domain")
	key, _ := a.GetString("key")
	if !selector.IsString() || !domain.IsString() || key.IsNone() {
		return nil, value.Errorf("a signature needs selector, domain and key")
	}
	s, problem, err := k.signerOf(c, selector.Str(), domain.Str(), key, o)
	if err == nil {
		err = problem
	}
	return s, err
}

func (k *Kit) signerOf(c *value.Call, selector, domain string, keyValue value.Value, o value.Options) (*dkim.Signer, error, error) {
	options := dkim.Options{
		Selector: selector, Domain: domain, Identity: o.Get("identity").Str(),
		Headers: texts(o.Array("headers")), Additional: texts(o.Array("additional_headers")), Oversign: names(o.Array("oversign_headers")),
	}
	var err error
	for name, into := range map[string]*dkim.Canonicalization{"canonicalization_header": &options.Header, "canonicalization_body": &options.Body} {
		if *into, err = dkim.ParseCanonicalization(o.Str(name)); err != nil {
			return nil, nil, declare.UnwantedOption(c, name, "relaxed or simple", o.Get(name))
		}
	}
	if o.Has("algorithm") {
		if options.Algorithm, err = dkim.ParseAlgorithm(o.Str("algorithm")); err != nil {
			return nil, nil, declare.UnwantedOption(c, "algorithm", "rsa-sha256, ed25519-sha256 or rsa-sha1", o.Get("algorithm"))
		}
	}
	if o.Has("body_length") {
		options.LimitBody, options.BodyLength = true, int64(o.Int("body_length"))
	}
	times(o, &options)
	key, err := k.key(keyValue, o.Get("id"))
	if err != nil {
		return nil, err, nil
	}
	s, err := dkim.NewSigner(key, options)
	return s, err, nil
}

// names is texts, but for an empty list, which is not the same as none.
func names(a *value.Array) []string {
	if a != nil && a.Len() == 0 {
		return []string{}
	}
	return texts(a)
}

func times(o value.Options, options *dkim.Options) {
	if at := o.Get("timestamp"); at.IsNumber() {
		options.Timestamp, options.Time = true, time.Unix(int64(at.ToNumber()), 0)
	} else {
		options.Timestamp = at.Truth()
	}
	if o.Has("expiration") {
		options.Expires = time.Unix(int64(o.Int("expiration")), 0)
	}
	if o.Has("expiration_relative") {
		options.Lifetime = seconds(o.Num("expiration_relative"))
	}
}

var errNoKey = errors.New("mail: no such private key")

// key finds the private key that a script means: a resource, the name of one in
// the configuration if id is true, its text if id is false, and otherwise either.
func (k *Kit) key(v, id value.Value) (crypto.Signer, error) {
	if r := v.Resource(); r != nil {
		if key, ok := r.(*cipher.Key); ok {
			return key.Signer, nil
		}
		return nil, errNoKey
	}
	byID, said := id.Truth(), id.IsSet()
	if k.options.Keys != nil && (byID || !said) {
		if key := k.options.Keys.PrivateKey(strings.TrimPrefix(v.Str(), "pki:")); key != nil {
			return key, nil
		}
	}
	if byID {
		return nil, errNoKey
	}
	return k.keys.parse(v.Str())
}

// keyCache keeps keys that scripts give as texts: to read one takes longer than
// to sign with Ed25519. It is safe for concurrent use.
type keyCache struct {
	mu   sync.Mutex
	keys map[[sha256.Size]byte]crypto.Signer
}

// maxKeys is how many keys are kept. When there are more, all are dropped.
const maxKeys = 256

func (k *keyCache) parse(text string) (crypto.Signer, error) {
	sum := sha256.Sum256(declare.View(text))
	k.mu.Lock()
	key := k.keys[sum]
	k.mu.Unlock()
	if key != nil {
		return key, nil
	}
	parsed := cipher.ParseKey(text)
	if parsed == nil {
		return nil, errNoKey
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil || len(k.keys) >= maxKeys {
		k.keys = make(map[[sha256.Size]byte]crypto.Signer)
	}
	k.keys[sum] = parsed.Signer
	return parsed.Signer, nil
}

// signBuilder is signDKIM of a message in the making, which cannot say that it
// failed but by an exception.
func signBuilder(c *value.Call, b *builder) error {
	s, problem, err := b.kit.signer(c)
	if err != nil {
		return err
	}
	if problem != nil {
		return failed(c, problem)
	}
	ctx, pool := c.Context(), b.kit.options.Pool
	b.part.Sign(func(m *build.Message) ([]byte, error) {
		var body dkim.Body
		body.Want(s.BodyHash())
		if _, err := m.WriteBody(&body); err != nil {
			return nil, err
		}
		_ = body.Close() // never fails
		fields, err := pool.Sign(ctx, dkim.NewHeader(m.Header()), &body, s)
		if err != nil {
			return nil, err
		}
		return fields[0], nil
	})
	return nil
}

// signMessage is signDKIM of a message that came in.
func signMessage(c *value.Call, m *Message) (value.Value, error) {
	s, problem, err := m.kit.signer(c)
	if problem != nil || err != nil {
		return value.None, err
	}
	raw, err := m.sign(c, s)
	if err != nil {
		if interrupted := c.Interrupted(err); value.Uncatchable(interrupted) {
			return value.None, interrupted
		}
		return value.None, nil // none says so
	}
	if c.Options(3).Bool("return_header") {
		_, text := cutField(raw)
		return declare.Text(c, text)
	}
	return m.object, m.AddField(c, raw)
}

// cutField parts a finished field into its name and its value.
func cutField(raw []byte) (name, text string) {
	name, text, _ = strings.Cut(strings.TrimSuffix(string(raw), "\r\n"), ":")
	return name, strings.TrimPrefix(text, " ")
}

// AddField puts a finished field on top of the message. The error is an
// exception.
func (m *Message) AddField(c *value.Call, raw []byte) error {
	name, text := cutField(raw)
	if err := m.keep(c, value.String(text)); err != nil {
		return err
	}
	if err := m.mime().Root().AddHeader(name, text, field.Verbatim); err != nil {
		return failed(c, err)
	}
	return nil
}

// sign makes a signature over the message with its edits.
func (m *Message) sign(c *value.Call, s *dkim.Signer) (raw []byte, err error) {
	header, body, err := m.Edited(s.BodyHash())
	if err != nil {
		return nil, err
	}
	instance := arcInstance(header, c.Options(3).Get("arc"))
	pool := m.kit.options.Pool
	err = pool.Do(c.Context(), func() (err error) {
		if instance > 0 {
			raw, err = s.SignARC(header, body, instance)
		} else {
			raw, err = s.Sign(header, body)
		}
		return err
	})
	return raw, err
}

// Edited returns the message with its edits for who signs it: its header, and its
// body of which that hash was taken.
func (m *Message) Edited(want dkim.BodyHash) (*dkim.Header, *dkim.Body, error) {
	m.mime().SettleDate(time.Now()) // what is signed must not change any more
	v, err := m.mime().View(time.Now())
	if err != nil {
		return nil, nil, err
	}
	block, whole, err := message.ReadHeader(v, v.Size(), headerLimit)
	if err != nil {
		return nil, nil, err
	}
	if !whole {
		return nil, nil, errLongHeader
	}
	body, err := m.sums.edited(m, v, len(block), want)
	return dkim.NewHeader(block), body, err
}

// PrivateKey finds the key that a script gives for signing the message: a
// resource, the name of one in the configuration if id is true, its text if id is
// false, and either if id is none.
func (m *Message) PrivateKey(v, id value.Value) (crypto.Signer, error) { return m.kit.key(v, id) }

// Pool returns where the signatures of the message are made.
func (m *Message) Pool() *dkim.Pool { return m.kit.options.Pool }

var errLongHeader = errors.New("mail: the header is too long to be signed")

// arcInstance returns the instance that the option arc asks for, 0 if none.
func arcInstance(h *dkim.Header, v value.Value) int {
	if v.IsNumber() {
		return int(min(v.ToNumber(), math.MaxInt16))
	}
	if !v.Truth() {
		return 0
	}
	n := 1
	for _, f := range h.Fields() {
		if f.Is("arc-message-signature") {
			n++
		}
	}
	return n
}

// sums are the hashes of bodies that were taken of a message, so that several
// signatures cost one pass over the body.
type sums struct {
	original *dkim.Body
	body     *dkim.Body // of the edited message
	edits    []bodyEdit // what was edited then
}

// bodyEdit is an edit behind the header.
type bodyEdit struct {
	start, count int64
	data         *byte
	size         int
}

// edited returns a body of the edited message of which the hash was taken.
func (s *sums) edited(m *Message, v *patch.View, header int, want dkim.BodyHash) (*dkim.Body, error) {
	p, err := m.mime().Patch(time.Now())
	if err != nil {
		return nil, err
	}
	edits := bodyEdits(p, m.mime().Root())
	if s.body != nil && slices.Equal(s.edits, edits) {
		if _, err := s.body.Sum(want); err == nil {
			return s.body, nil
		}
	}
	body := new(dkim.Body)
	body.Want(want)
	if err := dkim.ReadBody(body, v, v.Size(), header); err != nil {
		return nil, err
	}
	s.body, s.edits = body, edits
	return body, nil
}

// bodyEdits are the edits of a patch that touch what is behind the header.
func bodyEdits(p *patch.Patch, whole *mime.Part) (list []bodyEdit) {
	header := whole.HeaderSize()
	p.Each(func(start, count int64, data []byte) {
		if end := start + count; end < header || end == header && whole.HasBody() {
			return
		}
		e := bodyEdit{start: start, count: count, size: len(data)}
		if len(data) > 0 {
			e.data = &data[0]
		}
		list = append(list, e)
	})
	return list
}
