package web

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Admission waits until a request to a host may begin, under the limits of that
// id. An error is told to the script, unless ctx has ended.
type Admission func(ctx context.Context, id, host string) (release func(), err error)

// Background returns http_background of the module http-background: http with the
// defaults of that module, a reason for each failure, and bounds on how many
// requests are under way.
func Background(o Options, admit Admission) *value.Builtin {
	http := Builtins(o)[0]
	return declare.Function("http_background(string id, string url, [array options], [File or array or string post]) array",
		"Sends a request, as http does, and returns an array of status and content, or one of error. The id is that of a pool of the plug-in "+
			"http-background, which bounds how many requests are under way; others wait for their turn. What is posted is a string, a File, or an "+
			"array of fields of a form, each a text or an array of data, type, filename and encoder. The authorities are those of the system.",
		`echo http_background("no such pool", "http://127.0.0.1:1/")["error"]; // no such pool: "no such pool"`,
		func(c *value.Call) (value.Value, error) { return background(c, o, http, admit) }, backgroundOptions()...)
}

// backgroundOptions are those of http with other defaults, and some more.
func backgroundOptions() []value.Option {
	own := []value.Option{
		declare.Option("number connect_timeout = 300", "Seconds for connecting."),
		declare.Option("boolean tls_verify_host = true", "The certificate must have the name of the host."),
		declare.Option("boolean tls_default_ca = true", "The authorities are those of the system."),
		declare.Option("string or array tls_verify_cert", "The certificate to show: its name in the configuration, or an array of x509, privatekey and chain."),
		declare.Option("string encoder", "base64 encodes what is posted."),
	}
	named := map[string]bool{"extended_result": true}
	for _, option := range own {
		named[option.Name] = true
	}
	for _, option := range options {
		if !named[option.Name] {
			own = append(own, option)
		}
	}
	return own
}

func background(c *value.Call, o Options, http *value.Builtin, admit Admission) (value.Value, error) {
	u, err := url.Parse(c.Str(1))
	if err != nil {
		return complaint(err), nil
	}
	release, err := admit(c.Context(), c.Str(0), u.Host)
	if err != nil {
		if c.Context().Err() != nil {
			return value.None, c.Interrupted(err)
		}
		return complaint(err), nil
	}
	defer release()
	post, err := posted(c)
	if err != nil {
		return value.None, err
	}
	inner := value.Call{Thread: c.Thread, Builtin: http}
	if _, err := inner.Bind([]value.Value{c.Args[1], backgroundGiven(c), value.None, post}); err != nil {
		return value.None, err
	}
	v, err := exchange(&inner, o)
	var failure *failure
	if errors.As(err, &failure) {
		return complaint(failure.err), nil
	}
	return v, err
}

func complaint(err error) value.Value {
	return value.FromArray(value.Map("error", value.String(err.Error())))
}

// backgroundGiven are the options in the terms of http.
func backgroundGiven(c *value.Call) value.Value {
	a := value.NewArray(0)
	if given := c.Array(2); given != nil {
		a = given.Clone()
	}
	o := c.Options(2)
	for _, name := range []string{"connect_timeout", "tls_verify_host", "tls_default_ca"} {
		a.SetString(name, o.Get(name))
	}
	if certificate := o.Get("tls_verify_cert"); certificate.IsSet() {
		a.SetString("tls_client_cert", certificate)
	}
	a.SetString("extended_result", value.True)
	return value.FromArray(a)
}

// posted is the body in the terms of http.
func posted(c *value.Call) (value.Value, error) {
	fields := c.Array(3)
	if fields == nil {
		return encoded(c, c.Args[3], c.Options(2).Get("encoder"))
	}
	form := value.NewArray(fields.Len())
	for name, v := range fields.All() {
		field := value.Map("data", v)
		if a := v.Array(); a != nil {
			field = a.Clone()
		}
		data, _ := field.GetString("data")
		encoder, _ := field.GetString("encoder")
		data, err := encoded(c, data, encoder)
		if err != nil {
			return value.None, err
		}
		field.SetString("data", data)
		form.Set(name, value.FromArray(field))
	}
	return value.FromArray(form), nil
}

// encoded is the text of a string or File.
func encoded(c *value.Call, data, encoder value.Value) (value.Value, error) {
	if file := data.Object(); file != nil {
		read := file.Class.Method("read")
		if read == nil {
			return value.None, declare.Unwanted(c, 3, "a File, an array or a string")
		}
		var err error
		if data, err = c.Call(value.FromFunction(&value.Function{Builtin: read.Builtin, This: file})); err != nil {
			return value.None, err
		}
	}
	switch encoder.Str() {
	case "":
		return data, nil
	case "base64":
		text := base64.StdEncoding.EncodeToString([]byte(data.Text()))
		return value.String(text), c.Alloc(len(text))
	}
	return value.None, declare.UnwantedOption(c, "encoder", "base64", encoder)
}
