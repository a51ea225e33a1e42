package ctl

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/control"
	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

// showFlags are those of queue show.
type showFlags struct{ message, headers, raw bool }

func showCommand(s *session) *cobra.Command {
	var f showFlags
	c := &cobra.Command{
		Use:   "show ID[:QUEUEID]",
		Short: "Show everything known about a message and its recipients",
		Example: "  ctl queue show 4f2a6c1e-7f0e-4f57-9a55-0d9d7c3b2a10 --headers\n" +
			"  ctl queue show 4f2a6c1e-7f0e-4f57-9a55-0d9d7c3b2a10 --raw >message.eml",
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return s.present(c.Context(), "id"), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error { return s.show(c, args[0], f) },
	}
	c.Flags().BoolVar(&f.headers, "headers", false, "add the header of the message")
	c.Flags().BoolVar(&f.message, "message", false, "add the message")
	c.Flags().BoolVar(&f.raw, "raw", false, "write only the message, byte for byte as it is stored")
	return c
}

func (s *session) show(c *cobra.Command, arg string, f showFlags) error {
	if err := atMostOne(c, "headers", "message", "raw"); err != nil {
		return err
	}
	id, number, some := strings.Cut(arg, ":")
	request := &pb.QueueShowRequest{Id: id}
	if some {
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n == 0 {
			return usage("%q: want ID or ID:QUEUEID", arg)
		}
		request.Queueid = uint32(n)
	}
	switch {
	case f.headers:
		request.Content = pb.QueueShowRequest_CONTENT_HEADERS
	case f.message, f.raw:
		request.Content = pb.QueueShowRequest_CONTENT_MESSAGE
	}
	if done, err := s.asJSON(c, "", pb.QueueServiceShowProcedure, request); done {
		return err
	}
	q, err := s.queue()
	if err != nil {
		return err
	}
	stream, err := q.Show(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	defer stream.Close()
	if stream.Receive() {
		err = s.showAll(c, stream, f)
	}
	return cmp.Or(s.failed(c.Context(), stream.Err()), err)
}

type parts = *connect.ServerStreamForClient[pb.QueueShowResponse]

// showAll writes what is known, from the first answer, and the content from
// those that follow.
func (s *session) showAll(c *cobra.Command, stream parts, f showFlags) error {
	out := c.OutOrStdout()
	first := stream.Msg()
	if s.json {
		return showJSON(out, first, stream)
	}
	if !f.raw {
		if err := showText(out, first); err != nil {
			return err
		}
	}
	_, onTerminal := terminal(out)
	if f.headers || f.message {
		fmt.Fprintln(out)
	}
	for stream.Receive() {
		data := stream.Msg().Content
		if onTerminal {
			data = harmless(data)
		}
		if _, err := out.Write(data); err != nil {
			return err
		}
	}
	return nil
}

// harmless keeps the line ends of a message, and nothing else that a terminal
// would obey.
func harmless(b []byte) []byte {
	return []byte(strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if r == '\r' {
			return -1
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '\uFFFD'
		}
		return r
	}, string(b)))
}

// showJSON writes one object; the content in it is in base64, as it may be any
// bytes.
func showJSON(w io.Writer, first *pb.QueueShowResponse, stream parts) error {
	now := time.Now()
	columns := control.Columns()
	entries := make([]json.RawMessage, len(first.Entries))
	for i, e := range first.Entries {
		entries[i] = appendRow(nil, columns, e, now)
	}
	envelope := map[string]string{}
	for _, line := range envelopeLines(first.Envelope) {
		envelope[line.key] = line.value
	}
	var content []byte
	for stream.Receive() {
		content = append(content, stream.Msg().Content...)
	}
	return writeJSON(w, struct {
		Envelope map[string]string `json:"envelope"`
		Entries  []json.RawMessage `json:"entries"`
		Content  []byte            `json:"content,omitempty"`
	}{envelope, entries, content})
}

type line struct{ key, value string }

// envelopeLines are what the recipients share, without what is not set.
func envelopeLines(e *pb.QueueEnvelope) []line {
	lines := []line{
		{"id", e.Id}, {"received", time.UnixMilli(e.Ts).Format(time.RFC3339)}, {"serverid", e.Serverid},
		{"senderip", e.Senderip}, {"senderptr", e.Senderptr}, {"senderhelo", e.Senderhelo},
		{"saslusername", e.Saslusername}, {"tls", strings.TrimSpace(e.Tls + " " + e.Cipher)},
		{"size", strconv.FormatInt(e.Size, 10)}, {"subject", e.Subject}, {"body", e.Body},
		{"smtputf8", yes(e.Smtputf8)}, {"requiretls", yes(e.Requiretls)}, {"ret", e.Ret}, {"envid", e.Envid},
	}
	for _, n := range slices.Sorted(maps.Keys(e.Notify)) {
		lines = append(lines, line{fmt.Sprintf("notify:%d", n), strings.TrimSpace(e.Notify[n].Notify + " " + e.Notify[n].Orcpt)})
	}
	return slices.DeleteFunc(lines, func(l line) bool { return l.value == "" })
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// showText writes a block for the message and one for each recipient.
func showText(w io.Writer, first *pb.QueueShowResponse) error {
	now := time.Now()
	var b strings.Builder
	for _, l := range envelopeLines(first.Envelope) {
		fmt.Fprintf(&b, "%-16s %s\n", l.key, printable(l.value))
	}
	for _, e := range first.Entries {
		fmt.Fprintf(&b, "\n%-16s %d\n", "queueid", e.Queueid)
		for _, c := range control.Columns() {
			if text := cell(&c, e, now); text != "" && ofEntry(c.Name) {
				fmt.Fprintf(&b, "%-16s %s\n", c.Name, text)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ofEntry tells the columns that say something of an entry which the envelope
// and other columns do not.
func ofEntry(column string) bool {
	switch column {
	case "id", "queueid", "ts", "hold", "senderdomain", "recipientdomain", "size", "serverid", "senderip",
		"senderhelo", "saslusername", "subject", "retrydelay":
		return false
	}
	return true
}
