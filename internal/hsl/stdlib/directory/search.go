package directory

import (
	"context"
	"errors"

	"github.com/go-ldap/ldap/v3"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

var resultClass = &value.Class{Name: "LDAPResult", Doc: "The entries that a search finds. Those that are not looked at are not fetched."}

func init() {
	resultClass.Methods = []*value.Builtin{
		declare.Method("next() array or boolean or none",
			"Returns the next entry, an array of dn and, for each attribute, a list of its values; false at the end and none on an error.", next),
	}
	declare.Examples(resultClass, resultExamples)
}

// result is a search under way.
type result struct {
	connection *connection
	conn       *ldap.Conn // of the connection when the search began
	answers    ldap.Response
	cancel     context.CancelFunc
}

// Close implements io.Closer, for the thread that owns the search.
func (r *result) Close() error {
	r.cancel()
	return nil
}

var errUnbound = errors.New("the connection of the search was closed")

// waiting is how many entries the server may be ahead of the script.
const waiting = 16

var scopes = map[string]int{"sub": ldap.ScopeWholeSubtree, "one": ldap.ScopeSingleLevel, "base": ldap.ScopeBaseObject}

func search(c *value.Call) (value.Value, error) {
	k := c.This.Native.(*connection)
	o := c.Options(1)
	scope, known := scopes[o.Str("scope")]
	if !known {
		return value.None, declare.UnwantedOption(c, "scope", "sub, one or base", o.Get("scope"))
	}
	var attributes []string
	for name := range o.Array("attributes").Values() {
		attributes = append(attributes, name.Text())
	}
	var r *result
	ok, err := k.do(c, func() error {
		if _, err := ldap.CompileFilter(o.Str("filter")); err != nil {
			return err
		}
		limit := int(k.seconds("timelimit").Seconds())
		request := ldap.NewSearchRequest(c.Str(0), scope, ldap.NeverDerefAliases, 0, limit, false, o.Str("filter"), attributes, nil)
		ctx, cancel := context.WithCancel(c.Context())
		r = &result{connection: k, conn: k.conn, answers: k.conn.SearchAsync(ctx, request, waiting), cancel: cancel}
		return nil
	})
	if !ok || err != nil {
		return value.None, err
	}
	c.Own(r)
	return value.FromObject(resultClass.New(r)), nil
}

// next takes the next entry; referrals to other servers are passed over.
func next(c *value.Call) (value.Value, error) {
	r := c.This.Native.(*result)
	k := r.connection
	k.mu.Lock()
	defer k.mu.Unlock()
	more := false
	var gone error
	if k.conn != r.conn {
		gone = ldap.NewError(ldap.ErrorNetwork, errUnbound)
	}
	ok, err := k.runLocked(c, gone, func() error {
		for {
			if more = r.answers.Next(); !more || r.answers.Entry() != nil {
				return r.answers.Err()
			}
		}
	})
	if !ok || err != nil {
		return value.None, err
	}
	if !more {
		c.Disown(r)
		r.cancel()
		if err := c.Context().Err(); err != nil {
			return value.None, c.Interrupted(err)
		}
		return value.False, nil
	}
	return entryOf(c, r.answers.Entry())
}

func entryOf(c *value.Call, e *ldap.Entry) (value.Value, error) {
	entry := value.Map("dn", value.String(e.DN))
	size := len(e.DN)
	for _, a := range e.Attributes {
		list := value.NewArray(len(a.ByteValues))
		for _, v := range a.ByteValues {
			list.Push(value.Bytes(v))
			size += len(v) + 16
		}
		entry.Put(value.String(a.Name), value.FromArray(list))
	}
	return value.FromArray(entry), c.Alloc(size + entry.Size())
}
