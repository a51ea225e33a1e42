package control

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/connect"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/metric"
)

// maxRequest bounds one message of a client; an archive comes in many.
const maxRequest = 1 << 20

// maxConfig bounds the configuration of a stage.
const maxConfig = 256 << 20

// services are those that the parts allow.
type services struct {
	queue    *queueService
	config   *configService
	resolver *resolverService
	process  *processService
	policy   *policyService
	suspend  *suspendService
	delivery *deliveryService
	plugin   *pluginService
	proxy    *proxyService
	hsl      *hslService

	certificates *certificateService
	live         *livestageService
}

func newServices(p *Parts) *services {
	s := &services{process: &processService{p.Process, p.Log}}
	if p.Queue != nil {
		s.queue = &queueService{queue: p.Queue, importing: make(chan struct{}, 1)}
	}
	if p.Policies != nil && p.Files != nil {
		s.policy, s.suspend = &policyService{p.Policies, p.Files}, &suspendService{p.Policies, p.Files}
		s.delivery = &deliveryService{p.Files}
	}
	if p.Config != nil {
		s.config = &configService{p.Config}
	}
	if p.Resolver != nil {
		s.resolver = &resolverService{p.Resolver}
	}
	if p.Certificates != nil {
		s.certificates = &certificateService{p.Certificates}
	}
	if p.Plugins != nil {
		s.plugin = &pluginService{p.Plugins}
	}
	if p.Proxies != nil {
		s.proxy = &proxyService{p.Proxies}
	}
	if p.Livestage != nil {
		s.live = &livestageService{p.Livestage}
	}
	if p.Scripts != nil {
		s.hsl = &hslService{p.Scripts}
	}
	return s
}

// mux routes HTTP requests to the services.
func (s *services) mux(a *audit) *http.ServeMux {
	mux := http.NewServeMux()
	options := []connect.HandlerOption{connect.WithInterceptors(a), connect.WithReadMaxBytes(maxRequest)}
	mux.Handle(pb.NewProcessServiceHandler(s.process, options...))
	if s.queue != nil {
		mux.Handle(pb.NewQueueServiceHandler(s.queue, options...))
	}
	s.mountPolicies(mux, options...)
	if s.config != nil {
		mux.Handle(pb.NewConfigServiceHandler(s.config, options...))
	}
	if s.resolver != nil {
		mux.Handle(pb.NewResolverServiceHandler(s.resolver, options...))
	}
	if s.live != nil {
		mux.Handle(pb.NewLivestageServiceHandler(s.live, append(slices.Clone(options), connect.WithReadMaxBytes(maxConfig))...))
	}
	if s.hsl != nil {
		mux.Handle(pb.NewHSLServiceHandler(s.hsl, options...))
	}
	if s.certificates != nil {
		mux.Handle(pb.NewCertificateServiceHandler(s.certificates, options...))
	}
	if s.proxy != nil {
		mux.Handle(pb.NewProxyServiceHandler(s.proxy, options...))
	}
	if s.plugin != nil {
		mux.Handle(pb.NewPluginServiceHandler(s.plugin, options...))
	}
	return mux
}

type configService struct{ config Config }

// Reload implements pb.ConfigService.
func (s *configService) Reload(ctx context.Context, _ *connect.Request[pb.ConfigReloadRequest]) (*connect.Response[pb.ConfigReloadResponse], error) {
	note(ctx, func(c *Call) { c.Sensitive = true })
	// A reload that has begun is not left half-way by a client that goes away.
	warnings, err := s.config.Reload(context.WithoutCancel(ctx))
	if err != nil {
		return nil, answer(err, connect.CodeFailedPrecondition)
	}
	for i := range warnings {
		warnings[i] = utf8Text(warnings[i])
	}
	return connect.NewResponse(&pb.ConfigReloadResponse{Warnings: warnings}), nil
}

// Version implements pb.ConfigService.
func (s *configService) Version(context.Context, *connect.Request[pb.ConfigVersionRequest]) (*connect.Response[pb.ConfigVersionResponse], error) {
	v := s.config.Version()
	return connect.NewResponse(&pb.ConfigVersionResponse{
		Program: v.Program, Path: v.Path, Schema: v.Schema, Digest: v.Digest,
		Loaded: unixMilli(v.Loaded), Generation: uint32(v.Generation),
	}), nil
}

type resolverService struct{ resolver Resolver }

// Query implements pb.ResolverService.
func (s *resolverService) Query(ctx context.Context, r *connect.Request[pb.ResolverQueryRequest]) (*connect.Response[pb.ResolverQueryResponse], error) {
	note(ctx, func(c *Call) { c.Detail = r.Msg.Domain })
	if r.Msg.Domain == "" {
		return nil, invalid("a domain is wanted")
	}
	seed := envelope.NewID()
	if r.Msg.Seed != "" {
		var err error
		if seed, err = envelope.ParseID(r.Msg.Seed); err != nil {
			return nil, invalid("seed: %w", err)
		}
	}
	d, out := s.resolver.Query(ctx, r.Msg.Domain, seed, r.Msg.Retry)
	answer := &pb.ResolverQueryResponse{}
	if out != nil {
		answer.Error, answer.Permanent = outcomeText(out), out.Status == delivery.Failed
	}
	if d != nil {
		for _, h := range d.Hosts {
			answer.Hosts = append(answer.Hosts, &pb.ResolverHost{
				Preference: uint32(h.Preference), Name: utf8Text(h.Name), Address: h.Addr.String(), Secure: h.Secure,
			})
		}
	}
	return connect.NewResponse(answer), nil
}

func outcomeText(o *delivery.Outcome) string {
	if o.Err != nil {
		return utf8Text(o.Err.Error())
	}
	return utf8Text(o.Reply.String())
}

// Clear implements pb.ResolverService.
func (s *resolverService) Clear(ctx context.Context, r *connect.Request[pb.ResolverClearRequest]) (*connect.Response[pb.ResolverClearResponse], error) {
	n := s.resolver.Clear(r.Msg.Name)
	note(ctx, func(c *Call) { c.Sensitive, c.Detail, c.Affected = true, r.Msg.Name, n })
	return connect.NewResponse(&pb.ResolverClearResponse{Cleared: uint64(n)}), nil
}

// List implements pb.ResolverService.
func (s *resolverService) List(_ context.Context, _ *connect.Request[pb.ResolverListRequest], stream *connect.ServerStream[pb.ResolverListResponse]) error {
	page := make([]*pb.ResolverAnswer, 0, maxPage)
	var failed error
	send := func() bool {
		failed = stream.Send(&pb.ResolverListResponse{Answers: page})
		page = page[:0]
		return failed == nil
	}
	s.resolver.Answers(func(a Answer) bool {
		page = append(page, &pb.ResolverAnswer{
			Name: utf8Text(a.Name), Type: a.Type, Ttl: int64(a.TTL.Seconds()),
			Records: utf8List(a.Records), Error: utf8Text(a.Error), Secure: a.Secure,
		})
		return len(page) < maxPage || send()
	})
	if failed == nil && len(page) > 0 {
		send()
	}
	return failed
}

func utf8List(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = utf8Text(s)
	}
	return out
}

type processService struct {
	process Process
	log     Log
}

// Stats implements pb.ProcessService.
func (s *processService) Stats(context.Context, *connect.Request[pb.ProcessStatsRequest]) (*connect.Response[pb.ProcessStatsResponse], error) {
	if s.process == nil {
		return nil, connect.NewError(connect.CodeUnimplemented, fmt.Errorf("this process keeps no statistics"))
	}
	return connect.NewResponse(s.stats()), nil
}

func (s *processService) stats() *pb.ProcessStatsResponse {
	out := &pb.ProcessStatsResponse{}
	for _, stat := range s.process.Stats() {
		row := &pb.ProcessStat{
			Name: utf8Text(stat.Name), Metric: stat.Sample.Name, Value: stat.Value, Help: stat.Help, Unit: stat.Unit,
		}
		if stat.Kind == metric.GaugeKind {
			row.Type = pb.ProcessStat_TYPE_GAUGE
		}
		for _, l := range stat.Labels {
			row.Labels = append(row.Labels, &pb.ProcessStat_Label{Name: l.Name, Value: utf8Text(l.Value)})
		}
		out.Stats = append(out.Stats, row)
	}
	return out
}

// LogLevel implements pb.ProcessService.
func (s *processService) LogLevel(ctx context.Context, r *connect.Request[pb.LogLevelRequest]) (*connect.Response[pb.LogLevelResponse], error) {
	if s.log == nil {
		return nil, connect.NewError(connect.CodeUnimplemented, fmt.Errorf("the log of this process has no levels"))
	}
	if level := strings.ToLower(r.Msg.Level); level != "" {
		note(ctx, func(c *Call) { c.Sensitive, c.Detail = true, level })
		if err := s.log.SetLevel(level); err != nil {
			return nil, answer(err, connect.CodeInvalidArgument)
		}
	}
	return connect.NewResponse(&pb.LogLevelResponse{Level: s.log.Level()}), nil
}

// plural says how many there are of something.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
