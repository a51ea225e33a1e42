package smtpd

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-mta/posthaste/internal/config"
)

const examples = "../../../share/examples"

// TestExamples loads every sample configuration as a daemon would.
func TestExamples(t *testing.T) {
	var folders, files int
	err := filepath.WalkDir(examples, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		files++
		kind, err := config.KindOf(path)
		if err != nil {
			return err
		}
		if _, _, err := config.Open(path, kind, config.LoadOptions{EnvSubstitution: true}); err != nil {
			t.Error(err)
		}
		if kind == config.SMTPD {
			folders++
			loadFolder(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if folders < 8 || files < 30 {
		t.Errorf("found %d folders and %d files", folders, files)
	}
}

func loadFolder(t *testing.T, path string) (*Startup, *Running) {
	t.Helper()
	options := config.LoadOptions{EnvSubstitution: true, Layout: config.OwnLayout}
	startup, _, err := LoadStartup(path, options)
	if err != nil {
		t.Fatal(err)
	}
	if startup.Environment.AppConf != filepath.Join(filepath.Dir(path), "smtpd-app.yaml") {
		t.Errorf("%s: the running configuration beside it was not found: %s", path, startup.Environment.AppConf)
	}
	running, warnings, err := LoadRunning(startup, options)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		if w.Concern == config.Dangling {
			t.Errorf("%s: %v", path, w)
		}
	}
	return startup, running
}

func TestMinimalExample(t *testing.T) {
	s, r := loadFolder(t, examples+"/minimal/smtpd.yaml")
	want := []Listener{{Port: 25, Address: netip.MustParseAddr("127.0.0.1")}}
	if diff := cmp.Diff(want, s.Servers[0].Listeners, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if s.Environment.UUID.Version != 4 || s.Environment.ControlSocket.Chmod != 0o660 || s.Environment.Umask != config.Some(config.Mode(0o027)) {
		t.Errorf("environment %+v", s.Environment)
	}
	if !s.Spool.Fsync || s.Spool.Path != "/var/spool/posthaste/queue" || s.Spool.Corrupt != CorruptIgnore {
		t.Errorf("spool %+v", s.Spool)
	}
	mx := r.Transports()[0]
	if mx.Group != "default" || mx.Retry.Count != 30 || len(mx.Retry.Intervals) != 5 || !mx.Retry.Intervals[2].Notify ||
		mx.DSN.Transport != "mx" || mx.Connection.Port != 25 || !slices.Equal(mx.Connection.Server, []string{LookupMX}) ||
		mx.Session.TLS.Mode != TLSOptional || mx.Connection.Timeout != 30*time.Second {
		t.Errorf("transport %+v", mx)
	}
	server := r.Servers[0]
	if server.Timeout.Idle != 5*time.Minute || !server.Extensions.Chunking || server.Extensions.DSN || server.Phases.Data.MaxHops != 100 {
		t.Errorf("server %+v", server)
	}
	if len(r.Policy.Policies) != 0 || len(r.Suspend.Suspends) != 0 || r.Policy.Rate.Algorithm != TokenBucket {
		t.Errorf("small files that do not exist are not empty: %+v %+v", r.Policy, r.Suspend)
	}
}

// TestInheritance lays transports over their group, leaf by leaf.
func TestInheritance(t *testing.T) {
	_, r := loadFolder(t, examples+"/halon-shapes/proxies/smtpd.yaml")
	all := r.Transports()
	mx, relay := all[0], all[1]
	if !slices.Equal(mx.Connection.SourceIP.Addresses, []string{"a1", "a2", "a6"}) || mx.Connection.SourceIP.Random || !mx.Connection.SourceIP.IPv6 {
		t.Errorf("mx: %+v", mx.Connection.SourceIP)
	}
	source := relay.Connection.SourceIP
	if !slices.Equal(source.Addresses, []string{"a1"}) || source.Random || source.IPv6 || !source.IPv4 {
		t.Errorf("relay: %+v", source)
	}
	if relay.Connection.Port != 587 || relay.Retry.Count != 30 || relay.Session.TLS.Mode != TLSRequireVerify || !relay.Session.TLS.SNI.Host {
		t.Errorf("relay: %+v", relay)
	}
	if relay.Session.Timeout["EOD"] != 15*time.Minute || mx.Session.Timeout != nil || mx.Session.TLS.Mode != TLSDANE {
		t.Errorf("timeouts %v, %v", relay.Session.Timeout, mx.Session.Timeout)
	}
	hook := r.Servers[0].Phases.RcptTo.Hook
	if hook.ID != "default" || hook.RecipientDomains["*.example.com"] != "local" {
		t.Errorf("hook %+v", hook)
	}
}

func TestOlderSpellings(t *testing.T) {
	s, r := loadFolder(t, examples+"/halon-shapes/older/smtpd.yaml")
	want := ProxyTrust{Enabled: true, From: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}}
	if got := s.Servers[0].Listeners[0].ProxyProtocol; !reflect.DeepEqual(got, want) {
		t.Errorf("protoprotocol: %+v", got)
	}
	if s.Monitor.Listener.Port != 9090 || r.Monitor.Type.Or("") != "http" {
		t.Errorf("monitor: %+v, %+v", s.Monitor, r.Monitor)
	}
	field := r.Policy.Policies[0].Fields[1]
	if field.Name != "remotemx" || !slices.Equal(field.Rollup["other"], []string{"*.example.net"}) {
		t.Errorf("roll-up: %+v", field)
	}
	limits := r.Policy.Policies[0].Conditions[0].Then
	if limits.Rate != config.Some(config.Rate{Count: 50, Per: time.Second}) || limits.Concurrency.Or(0) != 10 || !limits.Cluster {
		t.Errorf("limits: %+v", limits)
	}
}

func TestPolicyExample(t *testing.T) {
	_, r := loadFolder(t, examples+"/standard/smtpd.yaml")
	google := r.Policy.Policies[2].Conditions[0]
	if !slices.Equal(google.If.Grouping, []string{"&google"}) || google.Then.Properties["backoff-rate"] != "10/3600" ||
		google.Then.Properties["backoff-ttl"] != int64(3600) {
		t.Errorf("condition %+v", google)
	}
	if r.Policy.Policies[0].Default.Set || !r.Policy.Policies[1].Default.Set {
		t.Errorf("defaults %+v", r.Policy.Policies)
	}
	d := r.Delivery.Delivery
	if !d.Conditions[0].Then.Pooling.Enabled || d.Conditions[0].Then.Pooling.Transactions != 100 || d.Default.Pooling.Enabled ||
		d.Default.Timeout.Connect.Or(0) != 20*time.Second || d.Default.TLS.Mode.Set || d.Default.Retry.Count.Set {
		t.Errorf("delivery %+v", d)
	}
}

// TestReload keeps what has a reload of its own.
func TestReload(t *testing.T) {
	s, r := loadFolder(t, examples+"/standard/smtpd.yaml")
	next, _, err := r.Reload(s, config.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if next == r || next.Policy != r.Policy || next.Suspend != r.Suspend || next.Delivery != r.Delivery || len(next.Servers) != 1 {
		t.Errorf("got %+v", next)
	}
}

// files is a configuration folder in memory.
type files map[string]string

func (f files) read(path string) ([]byte, error) {
	text, ok := f[filepath.Base(path)]
	if !ok || filepath.Dir(path) != "/conf" {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return []byte("version: \"6.9\"\n" + text), nil
}

func (f files) load() (config.Warnings, error) {
	options := config.LoadOptions{ReadFile: f.read, Layout: config.OwnLayout}
	s, _, err := LoadStartup("/conf/smtpd.yaml", options)
	if err != nil {
		return nil, err
	}
	_, warnings, err := LoadRunning(s, options)
	return warnings, err
}

// TestCrossChecks refuses what refers to nothing, and says where.
func TestCrossChecks(t *testing.T) {
	const startup = "servers: [{ id: a, listeners: [{ port: 25, id: x }] }]\n"
	const running = "servers: [{ id: a }]\n"
	for _, c := range []struct {
		name                    string
		startup, running, small string
		want                    string
	}{
		{"listener of a plug-in server", "servers: [{ id: a, type: plugin, listeners: [{ port: 1 }] }]", "", "", `smtpd.yaml:2:45: servers[0].listeners: a server of type plugin has no listeners`},
		{"two listeners for http", "servers: [{ id: a, type: http, listeners: [{ port: 1 }, { port: 2 }] }]", "", "", `servers[0].listeners: a server of type http has exactly one listener, got 2`},
		{"no listener for https", "servers: [{ id: a, type: https }]", "", "", `servers[0].listeners: a server of type https has exactly one listener, got 0`},
		{"unknown pool", "servers: [{ id: a, threads: { script: p } }]", "", "", `servers[0].threads.script: no pool "p" in threads.scripts`},
		{"server that was not started", startup, "servers: [{ id: a }, { id: b }]", "", `smtpd-app.yaml:2:28: servers[1].id: no server "b" in /conf/smtpd.yaml`},
		{"server without a running part", startup, "servers: []", "", `smtpd-app.yaml:2:10: servers: no server "a", which /conf/smtpd.yaml starts`},
		{"type", startup, "servers: [{ id: a, type: plugin }]", "", `servers[0].type: plugin here, smtp in /conf/smtpd.yaml`},
		{"transport", startup, "servers: [{ id: a, transport: mx }]", "", `servers[0].transport: no transport "mx"`},
		{"transport of DSNs", startup, running + "transportgroups: [{ id: g, dsn: { transport: q }, transports: [{ id: t }] }]", "", `transportgroups[0].transports[0].dsn.transport: no transport "q"`},
		{"duplicate transport", startup, running + "transportgroups: [{ id: g, transports: [{ id: t }] }, { id: h, transports: [{ id: t }] }]", "", `transportgroups[1].transports[0].id: duplicate id "t"`},
		{"source address", startup, running + "transportgroups: [{ id: g, transports: [{ id: t, connection: { sourceip: { addresses: [192.0.2.1, a9] } } }] }]", "", `connection.sourceip.addresses[1]: no address "a9" in addresses`},
		{"no address family", startup, running + "transportgroups: [{ id: g, transports: [{ id: t, connection: { sourceip: { ipv4: false, ipv6: false } } }] }]", "", `ipv4 and ipv6 are both off`},
		{"proxy without port", startup, running + "transportgroups: [{ id: g, transports: [{ id: t, connection: { proxyprotocol: { server: p } } }] }]", "", `connection.proxyprotocol: "port" is missing`},
		{"hook", startup, "servers: [{ id: a, phases: { eod: { hook: h } } }]", "", `servers[0].phases.eod.hook: no hook "h" in scripting.hooks.eod`},
		{"hook of a domain", startup, "servers: [{ id: a, phases: { rcptto: { hook: { recipientdomains: { x.example: h } } } } }]", "", `smtpd-app.yaml:2:79: servers[0].phases.rcptto.hook.recipientdomains["x.example"]: no hook "h"`},
		{"certificate", startup, "servers: [{ id: a, tls: { certs: { cert: c } } }]", "", `servers[0].tls.certs.cert: no certificate "c" in pki.private`},
		{"certificate without key", startup, "servers: [{ id: a, tls: { certs: { cert: c } } }]\npki: { private: [{ id: c, certificate: { data: x } }] }", "", `pki.private has no private key for "c"`},
		{"key without certificate", startup + "pki: { private: [{ id: c, privatekey: { data: x } }] }", "servers: [{ id: a, tls: { certs: { sni: [{ hostname: h, cert: c }] } } }]", "", `servers[0].tls.certs.sni[0].cert: pki.private has no certificate for "c"`},
		{"client certificate", startup, running + "transportgroups: [{ id: g, transports: [{ id: t, session: { tls: { clientcert: c } } }] }]", "", `session.tls.clientcert: no certificate "c"`},
		{"DKIM key", startup, running + "dkim: [{ domain: d, selector: s, key: 'pki:k' }]", "", `dkim[0].key: pki.private has no private key for "k"`},
		{"https without certificate", "servers: [{ id: a, type: https, listeners: [{ port: 1 }] }]", "servers: [{ id: a, type: https }]", "", `servers[0]: a server of type https needs tls.certs.cert`},
		{"https monitor", startup + "monitor: { listener: { port: 1, type: https } }", running, "", `monitor: an https monitor needs tls.certs.cert`},
		{"implicit TLS listener", startup, "servers: [{ id: a, tls: { implicit: [x, y], certs: { cert: 'acme:n' } } }]", "", `servers[0].tls.implicit[1]: server "a" has no listener "y"`},
		{"implicit TLS without certificate", startup, "servers: [{ id: a, tls: { implicit: true } }]", "", `servers[0].tls.implicit: needs tls.certs.cert`},
		{"band upside down", startup, running + "monitor: { healthy: { maxmessages: { upper: 1, lower: 2 } } }", "", `monitor.healthy.maxmessages.lower: greater than upper, 1`},
		{"times to live upside down", startup, running + "resolver: { cache: { ttl: { min: 2d } } }", "", `resolver.cache.ttl.min: greater than the maximum, 1d`},
		{"list in a list", startup, running + "lists: { remotemx: { l: ['@m'] } }", "", `smtpd-app.yaml:3:26: lists.remotemx["l"][0]: no list "m" in lists.remotemx`},
		{"list of addresses", startup, running + "lists: { localip: { l: [example.com] } }", "", `lists.localip["l"][0]: want an address, a network such as 192.0.2.0/24 or "@list", got "example.com"`},
		{"list in a grouping", startup, running + "queues: { grouping: { groupings: [{ id: g, remotemx: '@m' }] } }", "", `queues.grouping.groupings[0].remotemx: no list "m"`},
		{"regular expression", startup, running + "queues: { grouping: { groupings: [{ id: g, remotemx: [a, '/x'] }] } }", "", `queues.grouping.groupings[0].remotemx[1]: a regular expression ends with a slash, got "/x"`},
		{"pool of the queue", startup, running + "queues: { threads: { script: nobody } }", "", `queues.threads.script: no pool "nobody" in threads.scripts`},
		{"foreign field", startup, running, "policies: [{ fields: [jobid], conditions: [{ if: { localip: 192.0.2.1 } }] }]", `smtpd-policy.yaml:2:61: policies[0].conditions[0].if.localip: not among the fields of this policy`},
		{"list of another field", startup, running + "lists: { remoteip: { l: [192.0.2.1] } }", "policies: [{ fields: [localip], conditions: [{ if: { localip: '@l' } }] }]", `policies[0].conditions[0].if.localip: no list "l" in lists.localip`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := files{"smtpd.yaml": c.startup, "smtpd-app.yaml": c.running}
			if c.small != "" {
				f["smtpd-policy.yaml"] = c.small
			}
			_, err := f.load()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestCrossCheckAccepts is the other side of the table above.
func TestCrossCheckAccepts(t *testing.T) {
	f := files{
		"smtpd.yaml": `
servers:
  - { id: a, listeners: [{ port: 25, id: x }], threads: { script: _default } }
  - { id: w, type: https, listeners: [{ port: 443 }] }
pki: { private: [{ id: c, privatekey: { data: k } }] }
`,
		"smtpd-app.yaml": `
servers:
  - { id: a, transport: t, tls: { certs: { cert: c }, implicit: [x] } }
  - { id: w, type: https, tls: { certs: { cert: "acme:w.example" } } }
pki: { private: [{ id: c, certificate: { data: chain } }] }
lists: { remotemx: { l: ["*.a.example", "/b/"], m: "@l" } }
transportgroups: [{ id: g, transports: [{ id: t, dsn: { transport: t } }] }]
`,
		"smtpd-suspend.yaml":  `suspends: [{}, { remotemx: "@m", grouping: "&nobody" }]`,
		"smtpd-delivery.yaml": `delivery: { conditions: [{ if: { remoteip: ["2001:db8::/32"] }, then: {} }] }`,
	}
	// A list has no single-value form.
	if _, err := f.load(); err == nil || !strings.Contains(err.Error(), "lists.remotemx.m: want a list") {
		t.Fatalf("got %v", err)
	}
	f["smtpd-app.yaml"] = strings.Replace(f["smtpd-app.yaml"], `m: "@l"`, `m: ["@l"]`, 1)
	warnings, err := f.load()
	if err != nil {
		t.Fatal(err)
	}
	var dangling []string
	for _, w := range warnings {
		if w.Concern == config.Dangling {
			dangling = append(dangling, fmt.Sprintf("%s: %s", w.Path, w.Text))
		}
	}
	if want := []string{`suspends[1].grouping: no grouping "nobody" in queues.grouping.groupings`}; !slices.Equal(dangling, want) {
		t.Errorf("got %q", dangling)
	}
}

// TestMissingApp says which file is missing.
func TestMissingApp(t *testing.T) {
	f := files{"smtpd.yaml": ""}
	if _, err := f.load(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "/etc/posthaste/smtpd-app.yaml") {
		t.Errorf("got %v", err)
	}
}

// TestStructs walks the structs and the schemas side by side: they have the
// same keys, and fields hold what the schema lets through.
func TestStructs(t *testing.T) {
	for kind, v := range map[config.Kind]any{
		config.SMTPD: Startup{}, config.SMTPDApp: Running{}, config.SMTPDPolicy: Policy{},
		config.SMTPDSuspend: Suspend{}, config.SMTPDDelivery: Delivery{},
	} {
		schema, err := config.SchemaOf(kind)
		if err != nil {
			t.Fatal(err)
		}
		compareStruct(t, string(kind), reflect.TypeOf(v), schema)
	}
}

// inherited are keys of a transport group that its transports take over.
var inherited = []string{"connection", "session", "retry", "dsn"}

func compareStruct(t *testing.T, path string, typ reflect.Type, schema *config.Schema) {
	t.Helper()
	fields := structFields(typ)
	for _, name := range schema.Properties.Names {
		child := schema.Properties.Get(name)
		field, ok := fields[name]
		delete(fields, name)
		switch {
		case child.MovedTo != "":
			if ok {
				t.Errorf("%s.%s: an older spelling has a field", path, name)
			}
		case !ok && typ == reflect.TypeFor[TransportGroup]() && slices.Contains(inherited, name):
		case !ok:
			t.Errorf("%s.%s: no field of %s", path, name, typ)
		default:
			compareType(t, path+"."+name, field, child)
		}
	}
	for name := range fields {
		t.Errorf("%s.%s: in %s and not in the schema", path, name, typ)
	}
}

func structFields(typ reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Anonymous {
			for name, inner := range structFields(f.Type) {
				fields[name] = inner
			}
			continue
		}
		if tag := f.Tag.Get("yaml"); f.IsExported() && tag != "-" {
			fields[tag] = f.Type
		}
	}
	return fields
}

// scalarHolds says which Go type a scalar type of the schema goes into.
var scalarHolds = map[string]reflect.Type{
	"duration": reflect.TypeFor[time.Duration](), "size": reflect.TypeFor[config.Bytes](), "rate": reflect.TypeFor[config.Rate](),
	"mode": reflect.TypeFor[config.Mode](), "ip": reflect.TypeFor[netip.Addr](), "network": reflect.TypeFor[netip.Prefix](),
	"path": reflect.TypeFor[string](), "endpoint": reflect.TypeFor[Upstream](),
}

func compareType(t *testing.T, path string, typ reflect.Type, schema *config.Schema) {
	t.Helper()
	if strings.HasPrefix(typ.Name(), "Optional[") {
		field, _ := typ.FieldByName("Value")
		if schema.Default != nil {
			t.Errorf("%s: Optional, although the schema has a default", path)
		}
		compareType(t, path, field.Type, schema)
		return
	}
	if schema.Scalar != "" {
		if want := scalarHolds[schema.Scalar]; typ != want {
			t.Errorf("%s: %s for a %s, want %s", path, typ, schema.Scalar, want)
		}
		return
	}
	if reflect.PointerTo(typ).Implements(reflect.TypeFor[config.NodeDecoder]()) {
		if len(schema.Type) < 2 {
			t.Errorf("%s: %s decodes itself, although the schema has one form", path, typ)
		}
		return
	}
	compareKind(t, path, typ, schema)
}

func compareKind(t *testing.T, path string, typ reflect.Type, schema *config.Schema) {
	t.Helper()
	want := map[reflect.Kind]string{
		reflect.Bool: "boolean", reflect.String: "string", reflect.Int: "integer", reflect.Uint16: "integer",
		reflect.Uint64: "integer", reflect.Float64: "number", reflect.Slice: "array", reflect.Map: "object", reflect.Struct: "object",
	}[typ.Kind()]
	if typ.Kind() != reflect.Interface && !slices.Contains(schema.Type, want) {
		t.Errorf("%s: %s for %v", path, typ, schema.Type)
		return
	}
	switch typ.Kind() {
	case reflect.Struct:
		compareStruct(t, path, typ, schema)
	case reflect.Slice:
		compareType(t, path+"[]", typ.Elem(), schema.Items)
	case reflect.Map:
		for _, name := range schema.Properties.Names {
			compareType(t, path+"."+name, typ.Elem(), schema.Properties.Get(name))
		}
		if schema.AdditionalProperties != nil && len(schema.Properties.Names) == 0 {
			compareType(t, path+".*", typ.Elem(), schema.AdditionalProperties)
		}
	case reflect.Uint16:
		if schema.Maximum == nil || *schema.Maximum > 65535 {
			t.Errorf("%s: a uint16 does not hold what the schema lets through", path)
		}
	}
}

// TestQueueFields keeps Match and its list of names together.
func TestQueueFields(t *testing.T) {
	var names []string
	all := Match{
		TenantID: []string{"tenantid"}, JobID: []string{"jobid"}, TransportID: []string{"transportid"}, LocalIP: []string{"localip"},
		Grouping: []string{"grouping"}, RemoteIP: []string{"remoteip"}, RemoteMX: []string{"remotemx"}, RecipientDomain: []string{"recipientdomain"},
	}
	for field, matchers := range all.Fields() {
		if matchers[0] != field {
			t.Errorf("%s yields %v", field, matchers)
		}
		names = append(names, field)
	}
	if !slices.Equal(names, QueueFields) {
		t.Errorf("got %q", names)
	}
}

// FuzzLoad wants no panic from a folder of any content.
func FuzzLoad(f *testing.F) {
	for _, folder := range []string{"minimal", "standard", "halon-shapes/proxies", "halon-shapes/older"} {
		var texts [3]string
		for i, name := range []string{"smtpd.yaml", "smtpd-app.yaml", "smtpd-policy.yaml"} {
			data, _ := os.ReadFile(filepath.Join(examples, folder, name))
			texts[i] = string(data)
		}
		f.Add(texts[0], texts[1], texts[2])
	}
	f.Fuzz(func(_ *testing.T, startup, running, policy string) {
		texts := map[string]string{"smtpd.yaml": startup, "smtpd-app.yaml": running, "smtpd-policy.yaml": policy}
		options := config.LoadOptions{Layout: config.OwnLayout, ReadFile: func(path string) ([]byte, error) {
			text, ok := texts[filepath.Base(path)]
			if !ok {
				return nil, fs.ErrNotExist
			}
			return []byte(text), nil
		}}
		if s, _, err := LoadStartup("/conf/smtpd.yaml", options); err == nil {
			s.Environment.AppConf, s.Environment.PolicyConf = "/conf/smtpd-app.yaml", "/conf/smtpd-policy.yaml"
			_, _, _ = LoadRunning(s, options)
		}
	})
}
