package control

import (
	"context"

	"connectrpc.com/connect"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/delivery"
)

// Proxies are those that mail goes out through. *delivery.Courier has them.
type Proxies interface {
	Proxies() []delivery.ProxyStatus
}

type proxyService struct{ proxies Proxies }

// List implements pb.ProxyService.
func (s *proxyService) List(context.Context, *connect.Request[pb.ProxyListRequest]) (*connect.Response[pb.ProxyListResponse], error) {
	out := &pb.ProxyListResponse{}
	for _, p := range s.proxies.Proxies() {
		out.Proxies = append(out.Proxies, &pb.Proxy{
			Proxy: utf8Text(p.Proxy), Down: p.Down, Reason: utf8Text(p.Reason), Since: unixMilli(p.Since), Next: unixMilli(p.Next),
			Connections: uint32(p.Connections), Failures: uint32(p.Failures),
		})
	}
	return connect.NewResponse(out), nil
}
