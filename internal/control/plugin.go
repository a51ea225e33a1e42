package control

import (
	"context"
	"strings"

	"connectrpc.com/connect"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

type pluginService struct{ plugins Plugins }

// Command implements pb.PluginService.
func (s *pluginService) Command(ctx context.Context, r *connect.Request[pb.PluginCommandRequest]) (*connect.Response[pb.PluginCommandResponse], error) {
	note(ctx, func(c *Call) {
		c.Sensitive, c.Detail = true, strings.Join(append([]string{r.Msg.Id}, r.Msg.Args...), " ")
	})
	said, err := s.plugins.Command(ctx, r.Msg.Id, r.Msg.Args)
	if err != nil {
		return nil, answer(err, connect.CodeFailedPrecondition)
	}
	return connect.NewResponse(&pb.PluginCommandResponse{Text: utf8Text(said)}), nil
}

// List implements pb.PluginService.
func (s *pluginService) List(context.Context, *connect.Request[pb.PluginListRequest]) (*connect.Response[pb.PluginListResponse], error) {
	return connect.NewResponse(&pb.PluginListResponse{Ids: s.plugins.IDs()}), nil
}
