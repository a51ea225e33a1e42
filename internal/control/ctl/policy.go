package ctl

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/config"
	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/policy"
)

// matchFlags are one flag for each queue field.
type matchFlags [policy.RecipientDomain + 1][]string

func (m *matchFlags) add(c *cobra.Command, help string) {
	for f := range m {
		name := policy.Field(f).String()
		c.Flags().StringArrayVar(&m[f], name, nil, fmt.Sprintf(help, name))
	}
}

func (m *matchFlags) list() (out []*pb.FieldMatch) {
	for f := range m {
		if len(m[f]) > 0 {
			out = append(out, &pb.FieldMatch{Field: policy.Field(f).String(), Values: m[f]})
		}
	}
	return out
}

const matchHelp = "\n\nValues of fields are exact, *.domain for what is below a domain, networks for addresses,\n" +
	"or expressions between slashes. A configured grouping is written &google, in quotes for\n" +
	"the shell. Given several times, one of the values must match; all fields must match."

func policyCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Look at the limits of deliveries and change them"}
	c.AddCommand(
		policyListCommand(s), policyAddCommand(s), policyDeleteCommand(s), policyRefillCommand(s),
		reloadCommand(s, "policies", "p", pb.PolicyServiceReloadProcedure, &pb.PolicyReloadRequest{}, func(ctx context.Context) ([]string, error) {
			p, err := client(s, pb.NewPolicyServiceClient)
			if err != nil {
				return nil, err
			}
			answer, err := p.Reload(ctx, connect.NewRequest(&pb.PolicyReloadRequest{}))
			if err != nil {
				return nil, s.failed(ctx, err)
			}
			return answer.Msg.Warnings, nil
		}),
	)
	return c
}

func policyListCommand(s *session) *cobra.Command {
	var match matchFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List dynamic policies and counters",
		Long: "Lists the dynamic policies, and the counters that exist now: one for each combination of\n" +
			"values that is limited and in use. Policies are numbered as in the file." + matchHelp,
		Example: "  ctl queue policy list --grouping '&google'",
		Args:    cobra.NoArgs,
	}
	match.add(c, "only counters whose %s is the `VALUE`")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return s.policies(c, &pb.PolicyListRequest{Match: match.list()})
	}
	return c
}

func (s *session) policies(c *cobra.Command, request *pb.PolicyListRequest) error {
	if done, err := s.asJSON(c, "v", pb.PolicyServiceListProcedure, request); done {
		return err
	}
	p, err := client(s, pb.NewPolicyServiceClient)
	if err != nil {
		return err
	}
	stream, err := p.List(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	defer stream.Close()
	table := newPrinter(c.OutOrStdout(), heading{"policy", true}, heading{"values", false}, heading{"limits", false},
		heading{"running", true}, heading{"tokens", true}, heading{"waiting", true}, heading{"tag", false}, heading{"id", false}, heading{"ttl", true})
	for err == nil && stream.Receive() {
		for _, row := range stream.Msg().Rows {
			if err = s.policyRow(c.OutOrStdout(), table, row); err != nil {
				break
			}
		}
	}
	return cmp.Or(s.failed(c.Context(), stream.Err()), err, table.draw())
}

func (s *session) policyRow(w io.Writer, p *printer, r *pb.PolicyRow) error {
	if s.json {
		return writeJSON(w, policyJSON(r))
	}
	kind := strconv.Itoa(int(r.Policy) + 1)
	running, tokens, waiting := strconv.Itoa(int(r.Used)), "", strconv.Itoa(int(r.Waiting))
	if r.Limits.RateCount > 0 {
		tokens = strconv.FormatUint(r.Tokens, 10)
	}
	if r.Dynamic {
		kind, running, tokens, waiting = kind+" "+r.Type, "", "", ""
	}
	return p.row(kind, matchText(r.Fields, r.Values), limitsText(r.Limits), running, tokens, waiting,
		printable(r.Limits.Tag), printable(strings.Join(r.Ids, " ")), ttlText(r.Ttl))
}

func policyJSON(r *pb.PolicyRow) any {
	return struct {
		Policy  uint32              `json:"policy"`
		Dynamic bool                `json:"dynamic"`
		Type    string              `json:"type,omitempty"`
		Fields  []string            `json:"fields"`
		Values  map[string][]string `json:"values"`
		Limits  any                 `json:"limits"`
		Running uint32              `json:"running"`
		Tokens  *uint64             `json:"tokens,omitempty"`
		Next    float64             `json:"next"`
		Waiting uint32              `json:"waiting"`
		IDs     []string            `json:"ids"`
		TTL     float64             `json:"ttl,omitempty"`
	}{
		r.Policy, r.Dynamic, r.Type, append([]string{}, r.Fields...), matchMap(r.Values), limitsJSON(r.Limits), r.Used, tokens(r),
		float64(r.Next) / 1000, r.Waiting, append([]string{}, r.Ids...), r.Ttl,
	}
}

func tokens(r *pb.PolicyRow) *uint64 {
	if r.Dynamic || r.Limits.RateCount == 0 {
		return nil
	}
	return &r.Tokens
}

func limitsJSON(l *pb.PolicyLimits) any {
	rate := ""
	if l.RateCount > 0 {
		rate = fmt.Sprintf("%d/%s", l.RateCount, number(l.RateInterval))
	}
	return struct {
		Concurrency     uint32            `json:"concurrency,omitempty"`
		Rate            string            `json:"rate,omitempty"`
		Algorithm       string            `json:"algorithm,omitempty"`
		ConnectInterval float64           `json:"connectinterval,omitempty"`
		Tag             string            `json:"tag,omitempty"`
		Properties      map[string]string `json:"properties,omitempty"`
		Stop            bool              `json:"stop,omitempty"`
		Cluster         bool              `json:"cluster,omitempty"`
	}{l.Concurrency, rate, l.RateAlgorithm, l.Connectinterval, l.Tag, l.Properties, l.Stop, l.Cluster}
}

func limitsText(l *pb.PolicyLimits) string {
	var parts []string
	if l.Concurrency > 0 {
		parts = append(parts, fmt.Sprintf("concurrency %d", l.Concurrency))
	}
	if l.RateCount > 0 {
		parts = append(parts, fmt.Sprintf("rate %d/%s", l.RateCount, number(l.RateInterval)))
	}
	if l.Connectinterval > 0 {
		parts = append(parts, "connectinterval "+number(l.Connectinterval))
	}
	if l.Stop {
		parts = append(parts, "stop")
	}
	return strings.Join(parts, ", ")
}

// matchText writes field=value for each field; fields without a value stand for
// all.
func matchText(fields []string, match []*pb.FieldMatch) string {
	var parts []string
	for _, m := range match {
		parts = append(parts, m.Field+"="+strings.Join(m.Values, ","))
	}
	if len(parts) == 0 && len(fields) > 0 {
		return "any " + strings.Join(fields, ", ")
	}
	if len(parts) == 0 {
		return "all"
	}
	return printable(strings.Join(parts, " "))
}

func matchMap(match []*pb.FieldMatch) map[string][]string {
	out := map[string][]string{}
	for _, m := range match {
		out[m.Field] = append([]string{}, m.Values...)
	}
	return out
}

// ttlText is what is left, in the form of configuration; empty for no end.
func ttlText(seconds float64) string {
	if seconds <= 0 {
		return ""
	}
	return config.FormatDuration(time.Duration(seconds * float64(time.Second)).Round(time.Second))
}

// spanFlag is a duration as configuration has it.
func spanFlag(text, name string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	d, err := config.ParseDuration(text)
	if err != nil {
		return 0, usage("--%s: %w", name, err)
	}
	return d.Seconds(), nil
}

func policyAddCommand(s *session) *cobra.Command {
	var match matchFlags
	var fields, properties []string
	var rate, interval, ttl string
	var noCluster bool
	request := &pb.PolicyAddRequest{Limits: &pb.PolicyLimits{}}
	c := &cobra.Command{
		Use:   "add",
		Short: "Put a limit in force that is not in the file",
		Long: "Bounds the counters of a policy of the file, which must have the same fields, in place of\n" +
			"what the file says. Without a field's value all counters are meant. One with the same id,\n" +
			"or else the same fields and values, is replaced. Prints the id." + matchHelp,
		Example: "  ctl queue policy add --fields localip,grouping --grouping '&google' --concurrency 2 --ttl 1h",
		Args:    cobra.NoArgs,
	}
	flags := c.Flags()
	flags.StringSliceVar(&fields, "fields", nil, "`FIELDS` of the policy, with commas")
	match.add(c, "counters whose %s is the `VALUE`")
	flags.Uint32Var(&request.Limits.Concurrency, "concurrency", 0, "`attempts` at once")
	flags.StringVar(&rate, "rate", "", "attempts in an interval, as `COUNT/SECONDS`")
	flags.StringVar(&request.Limits.RateAlgorithm, "rate-algorithm", "", "`tokenbucket or fixedwindow`; default that of the file")
	flags.StringVar(&interval, "connectinterval", "", "least `time` between new connections")
	flags.BoolVar(&request.Limits.Stop, "stop", false, "do not look at later policies")
	flags.BoolVar(&noCluster, "no-cluster", false, "for this node alone")
	flags.StringVar(&request.Limits.Tag, "tag", "", "`label`, at most 32 bytes")
	flags.StringArrayVar(&properties, "property", nil, "`NAME=VALUE` for scripts; repeatable")
	flags.StringVar(&ttl, "ttl", "", "`time` until it ends, such as 90s or 1h; default never")
	flags.StringVar(&request.Id, "id", "", "`name` for it; default a new one")
	flags.StringVar(&request.Type, "type", "", "`dynamic, warmup or backoff`")
	flags.BoolVar(&request.Keep, "keep", false, "do not replace one like it")
	c.RunE = func(c *cobra.Command, _ []string) error {
		request.Fields, request.Match, request.Limits.Cluster = fields, match.list(), !noCluster
		var err error
		if rate != "" {
			r, err := config.ParseRate(rate)
			if err != nil {
				return usage("--rate: %w", err)
			}
			request.Limits.RateCount, request.Limits.RateInterval = uint64(r.Count), r.Per.Seconds()
		}
		if request.Limits.Connectinterval, err = spanFlag(interval, "connectinterval"); err != nil {
			return err
		}
		if request.Ttl, err = spanFlag(ttl, "ttl"); err != nil {
			return err
		}
		if request.Limits.Properties, err = pairs(properties); err != nil {
			return err
		}
		return s.addPolicy(c, request)
	}
	return c
}

// pairs reads NAME=VALUE.
func pairs(list []string) (map[string]string, error) {
	out := map[string]string{}
	for _, one := range list {
		name, v, ok := strings.Cut(one, "=")
		if !ok {
			return nil, usage("--property: want NAME=VALUE, got %q", one)
		}
		out[name] = v
	}
	return out, nil
}

func (s *session) addPolicy(c *cobra.Command, request *pb.PolicyAddRequest) error {
	if done, err := s.asJSON(c, "w", pb.PolicyServiceAddProcedure, request); done {
		return err
	}
	p, err := client(s, pb.NewPolicyServiceClient)
	if err != nil {
		return err
	}
	answer, err := p.Add(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	return s.printID(c, answer.Msg.Id)
}

func (s *session) printID(c *cobra.Command, id string) error {
	if s.json {
		return writeJSON(c.OutOrStdout(), map[string]string{"id": id})
	}
	_, err := fmt.Fprintln(c.OutOrStdout(), printable(id))
	return err
}

func policyDeleteCommand(s *session) *cobra.Command {
	request := &pb.PolicyDeleteRequest{}
	return deleteCommand("dynamic policy", &request.Id, func(c *cobra.Command) error {
		if done, err := s.asJSON(c, "x", pb.PolicyServiceDeleteProcedure, request); done {
			return err
		}
		p, err := client(s, pb.NewPolicyServiceClient)
		if err != nil {
			return err
		}
		if _, err = p.Delete(c.Context(), connect.NewRequest(request)); err != nil {
			return s.failed(c.Context(), err)
		}
		return s.succeeded(c, nil)
	})
}

// deleteCommand takes the id as an argument or by --id.
func deleteCommand(what string, id *string, run func(*cobra.Command) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "delete ID",
		Short: "End a " + what,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				*id = args[0]
			}
			if *id == "" {
				return usage("want the id of a %s", what)
			}
			return run(c)
		},
	}
	c.Flags().StringVar(id, "id", "", "the `id`, in place of an argument")
	return c
}

func policyRefillCommand(s *session) *cobra.Command {
	var match matchFlags
	c := &cobra.Command{
		Use:     "refill",
		Short:   "Give counters back what their rates have used up",
		Example: "  ctl queue policy refill --grouping '&google'",
		Args:    cobra.NoArgs,
	}
	match.add(c, "only counters whose %s is this very `VALUE`")
	c.RunE = func(c *cobra.Command, _ []string) error {
		request := &pb.PolicyRefillRequest{Match: match.list()}
		if done, err := s.asJSON(c, "B", pb.PolicyServiceRefillProcedure, request); done {
			return err
		}
		p, err := client(s, pb.NewPolicyServiceClient)
		if err != nil {
			return err
		}
		answer, err := p.Refill(c.Context(), connect.NewRequest(request))
		if err != nil {
			return s.failed(c.Context(), err)
		}
		if s.json {
			return writeJSON(c.OutOrStdout(), map[string]uint64{"refilled": answer.Msg.Refilled})
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s refilled\n", plural(answer.Msg.Refilled, "counter"))
		return err
	}
	return c
}

// propertyText writes properties as name=value.
func propertyText(p map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(p)) {
		parts = append(parts, k+"="+p[k])
	}
	return printable(strings.Join(parts, " "))
}
