package ctl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

// writeStatus writes the table whose layout other people's scripts know to the
// byte (spec tls.md 8.1).
func writeStatus(w io.Writer, all []*pb.Certificate, zone *time.Location) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-50s %-16s%s\n%s\n", "Domain", "Cert Exists", "Cert Expiration", strings.Repeat("-", 82))
	for _, c := range all {
		exists := "no"
		if c.HasCert {
			exists = "yes"
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-50s  %-16s%s", printable(c.Domain), exists, day(c.NotAfter, zone)), " ") + "\n")
		if c.LastFailureTime == 0 {
			continue
		}
		for _, line := range [][2]string{
			{"Error message:", printable(c.LastFailureMessage)},
			{"Last failure time:", instant(c.LastFailureTime, zone)},
			{"Next retry time:", instant(c.NextRetryTime, zone)},
		} {
			b.WriteString(strings.TrimRight(fmt.Sprintf("  %-19s%s", line[0], line[1]), " ") + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// day and instant write microseconds since 1970; 0 as nothing.
func day(micro int64, zone *time.Location) string { return form(micro, zone, time.DateOnly) }

func instant(micro int64, zone *time.Location) string {
	return form(micro, zone, "2006-01-02 15:04:05 -0700")
}

func form(micro int64, zone *time.Location, layout string) string {
	if micro == 0 {
		return ""
	}
	return time.UnixMicro(micro).In(zone).Format(layout)
}

// plainRow has the keys that existing scripts read, in their order.
type plainRow struct {
	Domain      string  `json:"domain"`
	HasCert     bool    `json:"has_cert"`
	Expiration  *string `json:"cert_expiration_time"`
	LastError   *string `json:"last_failure_error_message"`
	LastFailure *string `json:"last_failure_time"`
	NextRetry   *string `json:"next_retry_time"`
}

// statusLine adds ours.
type statusLine struct {
	plainRow
	State     string     `json:"state"`
	ErrorCode *string    `json:"error_code"`
	Failures  uint32     `json:"failures"`
	Issuer    *string    `json:"issuer"`
	Serial    *string    `json:"serial"`
	Profile   *string    `json:"profile"`
	RenewAt   *string    `json:"renew_at"`
	ARI       *ariWindow `json:"ari"`
	Source    string     `json:"source"`
	UsedBy    []string   `json:"used_by"`
}

type ariWindow struct {
	Start *string `json:"window_start"`
	End   *string `json:"window_end"`
	URL   *string `json:"url"`
}

func plainOf(c *pb.Certificate) plainRow {
	return plainRow{c.Domain, c.HasCert, seconds(c.NotAfter), optional(c.LastFailureMessage), micros(c.LastFailureTime), micros(c.NextRetryTime)}
}

func statusRow(c *pb.Certificate) statusLine {
	r := statusLine{
		plainRow: plainOf(c), State: c.State, ErrorCode: optional(c.ErrorCode), Failures: c.Failures, Issuer: optional(c.Issuer),
		Serial: optional(c.Serial), Profile: optional(c.Profile), RenewAt: seconds(c.RenewAt), Source: c.Source, UsedBy: append([]string{}, c.UsedBy...),
	}
	if c.AriStart != 0 {
		r.ARI = &ariWindow{seconds(c.AriStart), seconds(c.AriEnd), optional(c.AriUrl)}
	}
	return r
}

// writeStatusJSON writes one object with four spaces of indentation.
func writeStatusJSON(w io.Writer, all []*pb.Certificate, plain bool) error {
	rows := make([]any, 0, len(all))
	for _, c := range all {
		if plain {
			rows = append(rows, plainOf(c))
		} else {
			rows = append(rows, statusRow(c))
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "    ")
	if err := e.Encode(map[string]any{"domains": rows}); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func seconds(micro int64) *string { return optional(form(micro, time.UTC, "2006-01-02T15:04:05Z")) }

func micros(micro int64) *string {
	return optional(form(micro, time.UTC, "2006-01-02T15:04:05.000000Z"))
}

func certificateShowCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "show DOMAIN",
		Short: "Show all that is known of one name: chain, fingerprints, renewal, last attempts",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			request := &pb.CertificateShowRequest{Domain: args[0]}
			if done, err := s.asJSON(c, "", pb.CertificateServiceShowProcedure, request); done {
				return err
			}
			service, err := client(s, pb.NewCertificateServiceClient)
			if err != nil {
				return err
			}
			answer, err := service.Show(c.Context(), connect.NewRequest(request))
			if err != nil {
				return s.failed(c.Context(), err)
			}
			if s.json {
				return writeDetailJSON(c.OutOrStdout(), answer.Msg)
			}
			return writeDetail(c.OutOrStdout(), answer.Msg, time.Local)
		},
	}
}

func writeDetail(w io.Writer, d *pb.CertificateShowResponse, zone *time.Location) error {
	var b strings.Builder
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-15s %s\n", label, printable(text))
		}
	}
	c := d.Certificate
	line("domain", c.Domain)
	line("state", c.State)
	line("source", c.Source)
	line("used by", strings.Join(c.UsedBy, ", "))
	line("issuer", c.Issuer)
	line("serial", c.Serial)
	line("ends", instant(c.NotAfter, zone))
	line("renewal", instant(c.RenewAt, zone))
	if c.AriStart != 0 {
		line("window", instant(c.AriStart, zone)+" to "+instant(c.AriEnd, zone))
		line("explained at", c.AriUrl)
	}
	line("profile", c.Profile)
	line("authority", d.Directory)
	line("account", d.Account)
	line("files", d.Lineage)
	line("error", c.LastFailureMessage)
	line("error code", c.ErrorCode)
	line("next attempt", instant(c.NextRetryTime, zone))
	for i, link := range d.Chain {
		fmt.Fprintf(&b, "\ncertificate %d\n", i)
		line("  subject", link.Subject)
		line("  issuer", link.Issuer)
		line("  names", strings.Join(link.Names, ", "))
		line("  ends", instant(link.NotAfter, zone))
		line("  sha256", link.Sha256)
		line("  tlsa 3 1 1", link.SpkiSha256)
	}
	if len(d.History) > 0 {
		b.WriteString("\nattempts\n")
	}
	for _, a := range d.History {
		text := "obtained"
		if a.Code != "" {
			text = a.Code + ": " + a.Message
		}
		fmt.Fprintf(&b, "  %s  %s\n", instant(a.Time, zone), printable(text))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeDetailJSON(w io.Writer, d *pb.CertificateShowResponse) error {
	type link struct {
		Subject   string   `json:"subject"`
		Issuer    string   `json:"issuer"`
		Names     []string `json:"names"`
		NotBefore *string  `json:"not_before"`
		NotAfter  *string  `json:"not_after"`
		SHA256    string   `json:"sha256"`
		SPKI      string   `json:"spki_sha256"`
	}
	type attempt struct {
		Time    *string `json:"time"`
		Code    *string `json:"error_code"`
		Message *string `json:"error_message"`
	}
	out := struct {
		statusLine
		Directory *string   `json:"directory"`
		Account   *string   `json:"account"`
		Lineage   *string   `json:"lineage"`
		Budget    int32     `json:"budget"`
		Chain     []link    `json:"chain"`
		History   []attempt `json:"history"`
	}{statusRow(d.Certificate), optional(d.Directory), optional(d.Account), optional(d.Lineage), d.Budget, []link{}, []attempt{}}
	for _, l := range d.Chain {
		out.Chain = append(out.Chain, link{l.Subject, l.Issuer, append([]string{}, l.Names...), seconds(l.NotBefore), seconds(l.NotAfter), l.Sha256, l.SpkiSha256})
	}
	for _, a := range d.History {
		out.History = append(out.History, attempt{micros(a.Time), optional(a.Code), optional(a.Message)})
	}
	return writeJSON(w, out)
}
