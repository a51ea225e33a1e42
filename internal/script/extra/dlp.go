package extra

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func dlpLibrary(o Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("dlp(File file, [array options]) array",
			"Has dlpd scan a message. Returns an array of result, a list of arrays of rule and partid for what matched, or of error.",
			`echo array_keys(dlp(File::String("Subject: x\r\n\r\n"), ["path" => "/nonexistent"])); // [0=>"error"]`,
			func(c *value.Call) (value.Value, error) { return dlp(c, o) },
			declare.Option("string path", "The socket of dlpd on this host, in place of that of the settings."),
			declare.Option("string address", "The address of dlpd, in place of a socket."),
			declare.Option("number port", "Its port."),
			declare.Option("number connect_timeout = 5", "Seconds for connecting."),
			declare.Option("number timeout", "Seconds for all of it; none has no end."),
			declare.Option("string id", "How dlpd calls this scan in its log."),
			declare.Option("boolean short_circuit = false", "Stop at the first match."),
			declare.Option("number time_limit", "Seconds that dlpd may take."),
			declare.Option("number recursion_limit = 9", "How deep archives and messages are opened."),
			declare.Option("array rules", "The rules to apply: names of configured ones, and arrays of name with lists regex, filename, mimetype, md5hash, "+
				"sha1hash or sha2hash.")),
	})
}

func dlp(c *value.Call, o Options) (value.Value, error) {
	message, err := content(c, 0)
	if err != nil {
		return value.None, err
	}
	body, kind, err := dlpRequest(c, message)
	if err != nil {
		return value.None, err
	}
	given := c.Options(1)
	p := o.Plugins.dlp.peer()
	if given.Has("path") || given.Has("address") || given.Has("port") {
		p = peer{path: given.Str("path"), address: given.Str("address"), port: given.Int("port")}
		if p.address == "" {
			p.address = "localhost"
		}
	}
	p.timeout = span(given.Num("connect_timeout"))
	ctx := c.Context()
	if given.Has("timeout") {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, span(given.Num("timeout")))
		defer cancel()
	}
	answer, err := p.post(ctx, "/v1/scan", kind, body)
	if err != nil {
		return failure(c, err)
	}
	return dlpResult(c, answer)
}

// dlpRequest is the form that dlpd takes (spec operations.md 13).
func dlpRequest(c *value.Call, message string) (body []byte, kind string, err error) {
	given := c.Options(1)
	options := map[string]any{"short_circuit": given.Bool("short_circuit"), "recursion_limit": given.Int("recursion_limit")}
	if given.Has("id") {
		options["id"] = given.Str("id")
	}
	if given.Has("time_limit") {
		options["time_limit"] = given.Num("time_limit")
	}
	if rules := given.Array("rules"); rules != nil {
		if options["rules"], err = dlpRules(rules); err != nil {
			return nil, "", err
		}
	}
	text, err := json.Marshal(options)
	if err != nil {
		return nil, "", err
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, part := range []struct{ name, kind, text string }{{"options", "application/json", string(text)}, {"rfc822", "message/rfc822", message}} {
		field, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + part.name + `"`}, "Content-Type": {part.kind}})
		if err == nil {
			_, err = io.WriteString(field, part.text)
		}
		if err != nil {
			return nil, "", err
		}
	}
	err = w.Close()
	return b.Bytes(), w.FormDataContentType(), err
}

// dlpRules are rules in JSON: names, and objects of a name and lists of texts.
func dlpRules(rules *value.Array) ([]any, error) {
	all := []any{}
	for rule := range rules.Values() {
		own := rule.Array()
		if own == nil {
			all = append(all, rule.Text())
			continue
		}
		if name, _ := own.GetString("name"); name.Text() == "" {
			return nil, value.Errorf("dlp: option rules: a rule has no name")
		}
		object := map[string]any{}
		for key, v := range own.All() {
			list := []string{}
			if v.Array() == nil {
				object[key.Text()] = v.Text()
				continue
			}
			for text := range v.Array().Values() {
				list = append(list, text.Text())
			}
			object[key.Text()] = list
		}
		all = append(all, object)
	}
	return all, nil
}

func dlpResult(c *value.Call, answer []byte) (value.Value, error) {
	var said struct {
		Error  string
		Result []struct{ Rule, PartID string }
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return failure(c, fmt.Errorf("dlpd: %w", err))
	}
	if said.Error != "" {
		return failure(c, fmt.Errorf("dlpd: %s", said.Error))
	}
	list := value.NewArray(len(said.Result))
	for _, r := range said.Result {
		list.Push(value.FromArray(value.Map("rule", value.String(r.Rule), "partid", value.String(r.PartID))))
	}
	return declare.Array(c, value.Map("result", value.FromArray(list)))
}

// post makes a request by HTTP and returns the body of the answer.
func (p peer) post(ctx context.Context, path, kind string, body []byte) ([]byte, error) {
	host := p.address
	if p.path != "" {
		host = "localhost"
	}
	// The deadline of dial would be that of connecting.
	dial := p
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			network, address := dial.target()
			return (&net.Dialer{Timeout: dial.timeout}).DialContext(ctx, network, address)
		},
	}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+host+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", kind)
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	if err == nil && answer.StatusCode != http.StatusOK && !json.Valid(text) {
		err = fmt.Errorf("%s answers with status %d", host, answer.StatusCode)
	}
	return text, err
}
