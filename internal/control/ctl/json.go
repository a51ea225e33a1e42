package ctl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/posthaste-mta/posthaste/internal/control"
	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

// writeJSON writes v as one line.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// appendRow appends an entry as a JSON object with the columns as keys, in
// their order. Times and spans are seconds.
func appendRow(b []byte, columns []control.Column, e *pb.QueueEntry, now time.Time) []byte {
	b = append(b, '{')
	for i := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		c := &columns[i]
		b = strconv.AppendQuote(b, c.Name)
		b = append(b, ':')
		b = appendValue(b, c, e, now)
	}
	return append(b, '}', '\n')
}

func appendValue(b []byte, c *control.Column, e *pb.QueueEntry, now time.Time) []byte {
	var v any
	switch c.Kind {
	case control.CountColumn, control.SizeColumn:
		return strconv.AppendInt(b, c.Number(e, now), 10)
	case control.TimeColumn, control.SpanColumn:
		if n := c.Number(e, now); n != 0 || c.Kind == control.SpanColumn {
			return strconv.AppendFloat(b, float64(n)/1000, 'f', -1, 64)
		}
		return append(b, "null"...)
	case control.FlagColumn:
		return strconv.AppendBool(b, c.Number(e, now) != 0)
	case control.ListColumn:
		v = append([]string{}, e.Quotas...)
	case control.MapColumn:
		v = e.Metadata
		if e.Metadata == nil {
			v = struct{}{}
		}
	default:
		v = c.Text(e)
	}
	var out bytes.Buffer
	if err := writeJSON(&out, v); err != nil { // strings, and maps and lists of them
		return append(b, "null"...)
	}
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}

// halonVersion is what requests in JSON name as the version of the commands.
const halonVersion = "6.11"

// asJSON prints the request instead of sending it, when that was asked for. A
// command has Halon's letter where it has one, and the method in any case.
func (s *session) asJSON(c *cobra.Command, letter, method string, request proto.Message) (done bool, err error) {
	if !s.jsonRequest {
		return false, nil
	}
	payload, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(request)
	if err != nil {
		return true, fmt.Errorf("request: %w", err)
	}
	return true, writeJSON(c.OutOrStdout(), struct {
		Version string          `json:"version"`
		Program string          `json:"program"`
		Command string          `json:"command,omitempty"`
		Method  string          `json:"method"`
		Payload json.RawMessage `json:"payload"`
	}{halonVersion, "smtpd", letter, method, payload})
}
