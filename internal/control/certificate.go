package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/pki/acme"
)

// Certificates are those that the process obtains. *acme.Keeper has them.
type Certificates interface {
	Status() (all []acme.Status, off, stopped string)
	Show(ctx context.Context, name string) (*acme.Detail, error)
	Retry(name string, force bool) (<-chan acme.Result, error)
	SelfCheck(ctx context.Context, name string) error
}

type certificateService struct{ certificates Certificates }

// List implements pb.CertificateService.
func (s *certificateService) List(context.Context, *connect.Request[pb.CertificateListRequest]) (*connect.Response[pb.CertificateListResponse], error) {
	all, off, stopped := s.certificates.Status()
	answer := &pb.CertificateListResponse{Off: off, Stopped: utf8Text(stopped)}
	for i := range all {
		answer.Certificates = append(answer.Certificates, certificate(&all[i]))
	}
	return connect.NewResponse(answer), nil
}

func certificate(s *acme.Status) *pb.Certificate {
	c := &pb.Certificate{
		Domain: s.Name, HasCert: s.Has(), NotAfter: unixMicro(s.NotAfter), NextRetryTime: unixMicro(s.Next),
		State: string(s.State), Failures: uint32(s.FailuresInRow), Issuer: utf8Text(s.Issuer), Serial: s.Serial, Profile: s.Profile,
		RenewAt: unixMicro(s.RenewAt), AriStart: unixMicro(s.ARI.Start), AriEnd: unixMicro(s.ARI.End), AriUrl: utf8Text(s.ARI.URL),
		Source: "acme", UsedBy: s.UsedBy, Wrong: s.Wrong(),
	}
	if s.State == acme.Manual {
		c.Source = "manual"
	}
	if f := s.LastFailure; f != nil && s.FailuresInRow > 0 {
		c.LastFailureTime, c.LastFailureMessage, c.ErrorCode = unixMicro(f.Time), utf8Text(f.Message), f.Code
	}
	return c
}

func unixMicro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Show implements pb.CertificateService.
func (s *certificateService) Show(ctx context.Context, r *connect.Request[pb.CertificateShowRequest]) (*connect.Response[pb.CertificateShowResponse], error) {
	note(ctx, func(c *Call) { c.Detail = r.Msg.Domain })
	d, err := s.certificates.Show(ctx, r.Msg.Domain)
	if err != nil {
		return nil, answer(err, connect.CodeNotFound)
	}
	out := &pb.CertificateShowResponse{
		Certificate: certificate(&d.Status), Lineage: d.Lineage, Directory: d.Directory, Account: d.Account, Budget: int32(d.Left),
	}
	for _, c := range d.Chain {
		sha, spki := acme.Fingerprints(c)
		out.Chain = append(out.Chain, &pb.CertificateLink{
			Subject: utf8Text(c.Subject.String()), Issuer: utf8Text(c.Issuer.String()), NotBefore: unixMicro(c.NotBefore),
			NotAfter: unixMicro(c.NotAfter), Sha256: sha, SpkiSha256: spki, Names: utf8List(c.DNSNames),
		})
	}
	for _, a := range d.History {
		out.History = append(out.History, &pb.CertificateAttempt{Time: unixMicro(a.Time), Code: a.Code, Message: utf8Text(a.Message)})
	}
	return connect.NewResponse(out), nil
}

// Retry implements pb.CertificateService.
func (s *certificateService) Retry(ctx context.Context, r *connect.Request[pb.CertificateRetryRequest], stream *connect.ServerStream[pb.CertificateRetryResponse]) error {
	names := r.Msg.Domains
	if r.Msg.Failed {
		all, _, _ := s.certificates.Status()
		for i := range all {
			if all[i].FailuresInRow > 0 {
				names = append(names, all[i].Name)
			}
		}
	} else if len(names) == 0 {
		return invalid("a domain is wanted")
	}
	note(ctx, func(c *Call) { c.Sensitive, c.Affected = true, len(names) })
	begun := make([]begunRetry, len(names))
	for i, name := range names {
		begun[i].name = name
		begun[i].done, begun[i].err = s.certificates.Retry(name, r.Msg.Force)
	}
	for _, b := range begun {
		if b.err == nil && !r.Msg.Wait {
			b.done = nil
		}
		result, err := b.result(ctx)
		if err != nil {
			return err
		}
		if err := stream.Send(result); err != nil {
			return err
		}
	}
	return nil
}

// begunRetry is a name that is being tried, or why it is not.
type begunRetry struct {
	name string
	done <-chan acme.Result // nil: not to be waited for
	err  error
}

// result waits for the end of the attempt.
func (b *begunRetry) result(ctx context.Context) (*pb.CertificateRetryResponse, error) {
	out := &pb.CertificateRetryResponse{Domain: utf8Text(b.name)}
	var early *acme.NotDueError
	switch {
	case b.err != nil:
		out.Error, out.NotDue = utf8Text(b.err.Error()), errors.As(b.err, &early)
	case b.done != nil:
		select {
		case r := <-b.done:
			if out.NotAfter = unixMicro(r.NotAfter); r.Failure != nil {
				out.Error = utf8Text(r.Failure.Message)
			}
		case <-ctx.Done():
			return nil, answer(context.Cause(ctx), connect.CodeCanceled)
		}
	}
	return out, nil
}

// SelfCheck implements pb.CertificateService.
func (s *certificateService) SelfCheck(ctx context.Context, r *connect.Request[pb.CertificateSelfCheckRequest]) (*connect.Response[pb.CertificateSelfCheckResponse], error) {
	note(ctx, func(c *Call) { c.Detail = r.Msg.Domain })
	if r.Msg.Domain == "" {
		return nil, invalid("a domain is wanted")
	}
	out := &pb.CertificateSelfCheckResponse{}
	if err := s.certificates.SelfCheck(ctx, r.Msg.Domain); err != nil {
		out.Error = utf8Text(fmt.Sprint(err))
	}
	return connect.NewResponse(out), nil
}
