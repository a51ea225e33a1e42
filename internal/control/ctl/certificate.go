package ctl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

// certificateCommand is `ctl certs`, and the program certs.
func certificateCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:     "certs",
		Aliases: []string{"acme"},
		Short:   "Look at the certificates that are obtained, or have them tried again",
		Example: "  posthaste certs status --only-errors\n  posthaste certs retry www.example.com --wait",
	}
	c.AddCommand(
		certificateStatusCommand(s, "status", false), certificateRetryCommand(s, "retry"),
		certificateListCommand(s), certificateShowCommand(s), certificateCheckCommand(s),
	)
	return c
}

func certificateStatusCommand(s *session, use string, plain bool) *cobra.Command {
	var errorsOnly bool
	var sort string
	c := &cobra.Command{
		Use:   use,
		Short: "Show which names have a certificate, and what is wrong",
		Long: "Shows which names have a certificate and until when, and for those that failed the error and\n" +
			"the time of the next attempt. It ends with 1 when a name is in error.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return s.certificateStatus(c, errorsOnly, plain, sort) },
	}
	c.Flags().BoolVar(&errorsOnly, "only-errors", false, "names that were never tried, or failed the last time")
	c.Flags().StringVar(&sort, "sort", "", "`ORDER`: expiry, name or state; as configured when not given")
	return c
}

// certificates fetches the list in some order.
func (s *session) certificates(c *cobra.Command, sort string) (*pb.CertificateListResponse, error) {
	compare := map[string]func(a, b *pb.Certificate) int{
		"": func(_, _ *pb.Certificate) int { return 0 }, "name": func(a, b *pb.Certificate) int { return cmp.Compare(a.Domain, b.Domain) },
		"expiry": func(a, b *pb.Certificate) int { return cmp.Compare(a.NotAfter, b.NotAfter) },
		"state":  func(a, b *pb.Certificate) int { return cmp.Compare(a.State, b.State) },
	}[sort]
	if compare == nil {
		return nil, usage("--sort: %q is not one of expiry, name, state", sort)
	}
	service, err := client(s, pb.NewCertificateServiceClient)
	if err != nil {
		return nil, err
	}
	answer, err := service.List(c.Context(), connect.NewRequest(&pb.CertificateListRequest{}))
	if err != nil {
		return nil, s.failed(c.Context(), err)
	}
	slices.SortStableFunc(answer.Msg.Certificates, compare)
	return answer.Msg, nil
}

func (s *session) certificateStatus(c *cobra.Command, errorsOnly, plain bool, sort string) error {
	if done, err := s.asJSON(c, "", pb.CertificateServiceListProcedure, &pb.CertificateListRequest{}); done {
		return err
	}
	list, err := s.certificates(c, sort)
	if err != nil {
		return err
	}
	wrong := slices.ContainsFunc(list.Certificates, func(o *pb.Certificate) bool { return o.Wrong })
	if errorsOnly {
		list.Certificates = slices.DeleteFunc(list.Certificates, func(o *pb.Certificate) bool {
			return o.LastFailureTime == 0 && o.State != "pending"
		})
	}
	for _, text := range []string{list.Off, list.Stopped} {
		if text != "" {
			fmt.Fprintln(c.ErrOrStderr(), "Certificates are not obtained: "+printable(text))
		}
	}
	if s.json {
		err = writeStatusJSON(c.OutOrStdout(), list.Certificates, plain)
	} else {
		err = writeStatus(c.OutOrStdout(), list.Certificates, time.Local)
	}
	if err == nil && wrong {
		return s.said
	}
	return err
}

func certificateRetryCommand(s *session, use string) *cobra.Command {
	request := &pb.CertificateRetryRequest{}
	c := &cobra.Command{
		Use:   use + " DOMAIN…",
		Short: "Try names at once",
		Long: "Tries names at once, and begins the waits between attempts anew. A certificate that is valid\n" +
			"is left alone until it is due. An attempt that runs already is joined.",
		RunE: func(c *cobra.Command, args []string) error {
			request.Domains = args
			if len(args) == 0 && !request.Failed {
				return usage("name a domain, or give --all-failed")
			}
			return s.certificateRetry(c, request)
		},
	}
	c.Flags().BoolVar(&request.Failed, "all-failed", false, "all names whose last attempt failed")
	c.Flags().BoolVar(&request.Wait, "wait", false, "wait for the end of the attempts")
	c.Flags().BoolVar(&request.Force, "force-renew", false, "also certificates that are not due; authorities allow this five times a week for a name")
	return c
}

func (s *session) certificateRetry(c *cobra.Command, request *pb.CertificateRetryRequest) error {
	if done, err := s.asJSON(c, "", pb.CertificateServiceRetryProcedure, request); done {
		return err
	}
	service, err := client(s, pb.NewCertificateServiceClient)
	if err != nil {
		return err
	}
	stream, err := service.Retry(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	defer stream.Close()
	failed := false
	for stream.Receive() {
		r := stream.Msg()
		failed = failed || r.Error != "" && !r.NotDue
		if err := s.writeRetry(c, r); err != nil {
			return err
		}
	}
	if err := s.failed(c.Context(), stream.Err()); err != nil {
		return err
	}
	if failed {
		return s.said
	}
	return nil
}

func (s *session) writeRetry(c *cobra.Command, r *pb.CertificateRetryResponse) error {
	if s.json {
		return writeJSON(c.OutOrStdout(), struct {
			Domain   string  `json:"domain"`
			Error    *string `json:"error"`
			NotDue   bool    `json:"not_due"`
			NotAfter *string `json:"cert_expiration_time"`
		}{r.Domain, optional(r.Error), r.NotDue, seconds(r.NotAfter)})
	}
	text := "being tried"
	switch {
	case r.Error != "":
		text = printable(r.Error)
	case r.NotAfter != 0:
		text = "certificate valid until " + day(r.NotAfter, time.Local)
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "%s: %s\n", printable(r.Domain), text)
	return err
}

func certificateListCommand(s *session) *cobra.Command {
	var sort string
	c := &cobra.Command{
		Use:   "list",
		Short: "List names with state, end, renewal and who uses them",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return s.certificateList(c, sort) },
	}
	c.Flags().StringVar(&sort, "sort", "", "`ORDER`: expiry, name or state; as configured when not given")
	return c
}

func (s *session) certificateList(c *cobra.Command, sort string) error {
	if done, err := s.asJSON(c, "", pb.CertificateServiceListProcedure, &pb.CertificateListRequest{}); done {
		return err
	}
	list, err := s.certificates(c, sort)
	if err != nil {
		return err
	}
	p := newPrinter(c.OutOrStdout(), heading{"domain", false}, heading{"state", false}, heading{"ends", false}, heading{"renewal", false},
		heading{"source", false}, heading{"used by", false})
	for _, o := range list.Certificates {
		if s.json {
			err = writeJSON(c.OutOrStdout(), statusRow(o))
		} else {
			err = p.row(printable(o.Domain), o.State, day(o.NotAfter, time.Local), day(o.RenewAt, time.Local), o.Source, printable(strings.Join(o.UsedBy, ", ")))
		}
		if err != nil {
			return err
		}
	}
	return p.draw()
}

func certificateCheckCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "selfcheck DOMAIN",
		Short: "Look whether we reach ourselves by a name, as before an order",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			request := &pb.CertificateSelfCheckRequest{Domain: args[0]}
			if done, err := s.asJSON(c, "", pb.CertificateServiceSelfCheckProcedure, request); done {
				return err
			}
			service, err := client(s, pb.NewCertificateServiceClient)
			if err != nil {
				return err
			}
			answer, err := service.SelfCheck(c.Context(), connect.NewRequest(request))
			if err != nil {
				return s.failed(c.Context(), err)
			}
			if s.json {
				err = writeJSON(c.OutOrStdout(), map[string]any{"domain": args[0], "error": optional(answer.Msg.Error)})
			} else {
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %s\n", printable(args[0]), cmp.Or(printable(answer.Msg.Error), "reached"))
			}
			if err == nil && answer.Msg.Error != "" {
				return s.said
			}
			return err
		},
	}
}
