package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/queue/archive"
	"github.com/posthaste-mta/posthaste/internal/queue/offline"
	"github.com/posthaste-mta/posthaste/internal/spool"
)

// NewSpool returns the program that looks into spool folders without an MTA.
func NewSpool(o Options) *cobra.Command {
	s := &session{}
	root := &cobra.Command{
		Use:   "spool",
		Short: "Look into spool folders that no MTA has open: list, check, export, adopt",
		Long: "Works on the spool folder of an MTA that is stopped, or of a host that is gone. Nothing in\n" +
			"the folder is changed; while a command runs, no MTA can open it.",
		Version: o.Version,
		Example: "  posthaste spool check /mnt/mx3/queue\n" +
			"  posthaste spool list /mnt/mx3/queue\n" +
			"  posthaste spool adopt /mnt/mx3/queue --socket /run/posthaste/smtpd.ctl",
	}
	s.flags(root)
	_ = root.PersistentFlags().MarkHidden("json-request") // there is no request
	root.AddCommand(spoolListCommand(s), spoolShowCommand(), spoolCheckCommand(s), spoolExportCommand(s), spoolAdoptCommand(s))
	finish(root, o.Code)
	return root
}

// spoolError says what to do about a folder that is in use.
func spoolError(err error) error {
	var locked *spool.LockedError
	if errors.As(err, &locked) {
		return fmt.Errorf("%w: stop that process, or ask it with 'posthaste ctl queue'", err)
	}
	return err
}

func spoolListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list DIR",
		Short: "List the recipients that wait",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return spoolError(s.listSpool(c, args[0]))
		},
	}
}

// spoolRow is a row of the list.
type spoolRow struct {
	ID         string `json:"id"`
	QueueID    uint32 `json:"queueid"`
	Time       int64  `json:"ts"`
	State      string `json:"state"`
	Sender     string `json:"sender"`
	Recipient  string `json:"recipient"`
	Transport  string `json:"transportid"`
	RetryCount uint32 `json:"retrycount"`
	RetryTime  *int64 `json:"retryts"`
	Reason     string `json:"retryreason"`
	Size       int64  `json:"size"`
}

func (s *session) listSpool(c *cobra.Command, dir string) error {
	p := newPrinter(c.OutOrStdout(),
		heading{"id", false}, heading{"queueid", true}, heading{"ts", true}, heading{"state", false}, heading{"sender", false},
		heading{"recipient", false}, heading{"transportid", false}, heading{"retrycount", true}, heading{"retryreason", false})
	now := time.Now()
	err := offline.Walk(c.Context(), dir, offline.Visitor{
		Damaged: complain(c),
		Message: func(m *offline.Message) error {
			for _, e := range m.Entries() {
				r := newSpoolRow(m, e, now)
				if s.json {
					if err := writeJSON(c.OutOrStdout(), r); err != nil {
						return err
					}
					continue
				}
				err := p.row(r.ID, strconv.Itoa(int(r.QueueID)), moment(r.Time*1000), r.State, printable(r.Sender), printable(r.Recipient),
					printable(r.Transport), strconv.Itoa(int(r.RetryCount)), printable(r.Reason))
				if err != nil {
					return err
				}
			}
			return nil
		},
	})
	return cmp.Or(err, p.draw())
}

func newSpoolRow(m *offline.Message, e offline.Entry, now time.Time) spoolRow {
	r := spoolRow{
		ID: m.Envelope.ID.String(), QueueID: e.Number, Time: m.Envelope.Received.Unix(), State: e.Status(now),
		Sender: e.Sender.String(), Recipient: e.Address.String(), Transport: e.Transport(),
		RetryCount: e.State.Retry, Reason: e.State.Reason, Size: m.Envelope.Size,
	}
	if due := e.State.Due; !due.IsZero() {
		at := due.Unix()
		r.RetryTime = &at
	}
	return r
}

// complain prints damage as it is found.
func complain(c *cobra.Command) func(error) {
	return func(err error) { fmt.Fprintln(c.ErrOrStderr(), "damaged:", printable(err.Error())) }
}

func spoolShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show DIR ID",
		Short: "Write a message, byte for byte as it is stored",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := envelope.ParseID(args[1])
			if err != nil {
				return usage("%q: want the id of a message", args[1])
			}
			out := c.OutOrStdout()
			_, onTerminal := terminal(out)
			return spoolError(offline.Find(c.Context(), args[0], id, func(m *offline.Message) error {
				if !onTerminal {
					_, err := m.WriteTo(out)
					return err
				}
				text, err := io.ReadAll(m.Body())
				if err == nil {
					_, err = out.Write(harmless(text))
				}
				return err
			}))
		},
	}
}

func spoolCheckCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "check DIR",
		Short: "Read everything against its checksums; the exit code is 1 when something is damaged",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			sum, err := offline.Check(c.Context(), args[0], complain(c))
			if err != nil {
				return spoolError(err)
			}
			if err := s.summary(c.OutOrStdout(), sum, "read"); err != nil {
				return err
			}
			if sum.Damaged > 0 {
				return fmt.Errorf("%s in %s", plural(sum.Damaged, "damaged place"), args[0])
			}
			return nil
		},
	}
}

func (s *session) summary(out io.Writer, sum offline.Summary, done string) error {
	if s.json {
		return writeJSON(out, sum)
	}
	_, err := fmt.Fprintf(out, "%s of %s %s, %s\n", plural(sum.Entries, "entry"), plural(sum.Messages, "message"), done, plural(int(sum.Bytes), "byte"))
	return err
}

func spoolExportCommand(s *session) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "export DIR --output FILE|-",
		Short: "Write everything to an archive that 'ctl queue import' takes",
		Args:  cobra.ExactArgs(1),
	}
	c.Flags().StringVarP(&output, "output", "o", "", "`file`, or - for standard output")
	_ = c.MarkFlagFilename("output")
	c.RunE = func(c *cobra.Command, args []string) error {
		switch output {
		case "":
			return usage("--output is missing: name a file, or - for standard output")
		case "-":
			sum, err := offline.Export(c.Context(), args[0], archive.NewWriter(c.OutOrStdout()), complain(c))
			return cmp.Or(spoolError(err), s.summary(c.ErrOrStderr(), sum, "exported"))
		}
		return s.exportSpool(c, args[0], output)
	}
	return c
}

// exportSpool writes a new file, and removes what it has begun when that fails.
func (s *session) exportSpool(c *cobra.Command, dir, output string) error {
	file, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	sum, err := offline.Export(c.Context(), dir, archive.NewWriter(file), complain(c))
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(spoolError(err), os.Remove(output))
	}
	return s.summary(c.OutOrStdout(), sum, "exported to "+output)
}

func spoolAdoptCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "adopt DIR",
		Short: "Hand everything to the MTA that runs here, and set the folder aside",
		Long: "Hands every message of a spool folder to the MTA that runs here. When that has all of it on\n" +
			"its own disk, the folder gets a name that ends in .adopted, so that no MTA delivers the\n" +
			"messages again. After an error, the command may be given again: what has arrived is skipped\n" +
			"as long as it waits there.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return s.adopt(c, args[0]) },
	}
}

func (s *session) adopt(c *cobra.Command, dir string) error {
	q, err := s.queue()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	in, out := io.Pipe()
	type result struct {
		offline.Summary
		err error
	}
	exported := make(chan result, 1)
	go func() {
		sum, err := offline.Export(ctx, dir, archive.NewWriter(out), complain(c))
		_ = out.CloseWithError(err) // never fails
		exported <- result{sum, err}
	}()
	done, err := send(ctx, q, in, newBar(c.ErrOrStderr(), "bytes", true), 0)
	_ = in.Close() // never fails; lets the export end
	sum := <-exported
	switch {
	case sum.err != nil && !errors.Is(sum.err, io.ErrClosedPipe):
		return spoolError(sum.err)
	case err != nil:
		return s.failed(c.Context(), err)
	}
	done.Damaged += uint64(sum.Damaged)
	if err := s.imported(c, done); err != nil {
		return err
	}
	if sum.Damaged > 0 {
		return fmt.Errorf("%s stays as it is: it has %s", dir, plural(sum.Damaged, "damaged place"))
	}
	aside := dir + ".adopted"
	if err := os.Rename(dir, aside); err != nil {
		return fmt.Errorf("everything is imported, but the folder cannot be set aside: %w: do not start an MTA on it", err)
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s is now %s\n", dir, aside)
	return nil
}
