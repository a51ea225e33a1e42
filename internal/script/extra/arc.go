package extra

import (
	"errors"
	"fmt"
	"slices"

	"github.com/posthaste-mta/posthaste/internal/arc"
	"github.com/posthaste-mta/posthaste/internal/authres"
	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
)

func arcLibrary(Options) *value.Library { return library(nil, arcClass) }

// arcClass has static methods only.
var arcClass = &value.Class{Name: "ARC", Doc: "Chains of what the hosts that forwarded a message found out about it (RFC 8617)."}

func init() {
	arcClass.Statics = []*value.Builtin{
		declare.Method("chainValidate(MailMessage or EODMailMessage mail) array",
			"Validates the chain of a message as it came. Returns an array of status: none (there is none), pass or fail; when it failed error; and when it passed instance, the number of sets, "+
				"oldestpass, the set since which the message has not changed (0: it never did), domains, who sealed, in order, ar1, what the first of them found, "+
				"and arcset, the fields aar, ams and as of each set by its number.",
			validateChain),
		declare.Method("seal(MailMessage or EODMailMessage mail, string selector, string domain, resource or string key, array chain, string or AuthenticationResults ar, [array options]) boolean",
			"Adds a set to the chain of a message, with the edits made so far: what chainValidate said of the chain, and what was found of the message. The key is as that of signDKIM. "+
				"Returns whether that was done: a chain that somebody has closed already is not extended.",
			sealChain, declare.Option("boolean id", "Whether the key is the name of one in the configuration or its text; without it both are tried.")),
	}
	declare.Examples(arcClass, arcExamples)
}

func validateChain(c *value.Call) (value.Value, error) {
	m, err := messageOf(c, 0)
	if err != nil {
		return value.None, err
	}
	n, err := newNames(c, value.None)
	if err != nil {
		return value.None, err
	}
	type outcome struct {
		arc.Result
		err error
	}
	got := serve(n, func(s served) (o outcome) {
		o.Result, o.err = validate(c, m, s)
		return o
	})
	switch {
	case n.thrown != nil:
		return value.None, n.thrown
	case got.err != nil:
		return value.None, value.Errorf("%s: %v", c.Builtin.Name, got.err)
	case c.Context().Err() != nil:
		return value.None, c.Interrupted(c.Context().Err())
	}
	return declare.Array(c, chainValue(&got.Result))
}

// validate validates the chain of the original message.
func validate(c *value.Call, m *mime.Message, r dkim.Resolver) (arc.Result, error) {
	header, body := dkim.NewHeader(m.Root().RawHeader()), new(dkim.Body)
	if chain := arc.Collect(header); chain.Err == nil && len(chain.Sets) == 0 {
		return arc.Result{Status: arc.None, Chain: chain}, nil // most messages, whose bodies need not be read
	}
	v := arc.NewValidator(r, arc.Options{}).Begin(header, body)
	if _, err := body.ReadFrom(m.Root().RawBody()); err != nil {
		return arc.Result{}, err
	}
	if err := body.Close(); err != nil {
		return arc.Result{}, err
	}
	return v.Finish(c.Context()), nil
}

func chainValue(r *arc.Result) *value.Array {
	out := value.Map("status", value.String(string(r.Status)))
	switch r.Status {
	case arc.Fail:
		out.SetString("error", value.String(r.Reason()))
	case arc.Pass:
		sets := r.Chain.Sets
		out.SetString("instance", value.Int(len(sets)))
		out.SetString("oldestpass", value.Int(r.Oldest))
		domains, fields := value.NewArray(len(sets)), value.NewArray(len(sets))
		for _, s := range sets {
			domains.Push(value.String(s.Seal.Domain))
			fields.Set(value.Int(s.Instance), value.FromArray(value.Map(
				"aar", value.Bytes(s.Results), "ams", value.Bytes(s.Message.Field), "as", value.Bytes(s.Seal.Field))))
		}
		out.SetString("domains", value.FromArray(domains))
		out.SetString("ar1", value.String(sets[0].Authentication().String()))
		out.SetString("arcset", value.FromArray(fields))
	}
	return out
}

func sealChain(c *value.Call) (value.Value, error) {
	m := mail.Of(c.Args[0])
	if _, err := messageOf(c, 0); err != nil {
		return value.None, err
	}
	status := arc.Status(textAt(c.Args[4], "status"))
	if !slices.Contains([]arc.Status{arc.None, arc.Pass, arc.Fail}, status) {
		return value.None, declare.Unwanted(c, 4, "what chainValidate returned")
	}
	found, err := parseResults(c.Args[5])
	if err != nil {
		return value.None, declare.Unwanted(c, 5, "the value of an Authentication-Results field")
	}
	fields, err := seal(c, m, status, found)
	if err != nil {
		if interrupted := c.Interrupted(err); value.Uncatchable(interrupted) {
			return value.None, interrupted
		}
		return value.False, nil // false says so
	}
	return value.True, addFields(c, m, fields)
}

var errChain = errors.New("extra: the chain is not that which was validated")

// seal makes the three fields of a new set.
func seal(c *value.Call, m *mail.Message, status arc.Status, found authres.Results) (fields []byte, err error) {
	key, err := m.PrivateKey(c.Args[3], c.Options(6).Get("id"))
	if err != nil {
		return nil, err
	}
	sealer, err := arc.NewSealer(key, dkim.Options{Selector: c.Str(1), Domain: c.Str(2)})
	if err != nil {
		return nil, err
	}
	header, body, err := m.Edited(sealer.BodyHash())
	if err != nil {
		return nil, err
	}
	chain := arc.Collect(header)
	if status == arc.Pass && (chain.Err != nil || len(chain.Sets) == 0) || status == arc.None && chain.Highest > 0 {
		return nil, fmt.Errorf("%w: %s", errChain, status)
	}
	err = m.Pool().Do(c.Context(), func() error {
		fields, err = sealer.Seal(header, body, arc.Result{Status: status, Chain: chain, Err: chain.Err}, found)
		return err
	})
	return fields, err
}

// addFields puts finished fields on top of a message in their order.
func addFields(c *value.Call, m *mail.Message, block []byte) error {
	for _, f := range slices.Backward(dkim.NewHeader(block).Fields()) {
		if err := m.AddField(c, block[f.Start:f.End]); err != nil {
			return err
		}
	}
	return nil
}
