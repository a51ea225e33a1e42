package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/queue/archive"
)

func exportCommand(s *session) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "export [conditions] --output FILE|FOLDER|-",
		Short: "Write entries with their messages to archives that import takes",
		Long: "Writes entries with their messages to one archive, or to one archive for each message when\n" +
			"the output is a folder. The queue is left as it is: hold what you export, and delete it\n" +
			"when it has arrived where it should.",
		Example: "  ctl queue hold --transportid old\n" +
			"  ctl queue export --transportid old --output old.phqueue\n" +
			"  ctl --socket other.example:8081 queue import old.phqueue\n" +
			"  ctl queue delete --transportid old",
		Args: cobra.ArbitraryArgs,
	}
	conditions := addConditions(s, c)
	c.Flags().StringVarP(&output, "output", "o", "", "`file`, existing folder, or - for standard output")
	_ = c.MarkFlagFilename("output")
	c.RunE = func(c *cobra.Command, args []string) error {
		request := &pb.QueueExportRequest{Conditions: conditions.list(args)}
		if done, err := s.asJSON(c, "", pb.QueueServiceExportProcedure, request); done {
			return err
		}
		return s.export(c, request, output)
	}
	return c
}

// exported counts what arrived.
type exported struct {
	Messages int   `json:"messages"`
	Entries  int   `json:"entries"`
	Damaged  int   `json:"damaged"`
	Bytes    int64 `json:"bytes"`
}

func (s *session) export(c *cobra.Command, request *pb.QueueExportRequest, output string) error {
	to, err := openOutput(c.OutOrStdout(), output)
	if err != nil {
		return err
	}
	q, err := s.queue()
	if err == nil {
		var stream *connect.ServerStreamForClient[pb.QueueExportResponse]
		if stream, err = q.Export(c.Context(), connect.NewRequest(request)); err == nil {
			defer stream.Close()
			var done exported
			done, err = s.receive(c, stream, to)
			if err == nil {
				return s.exported(c, done, output)
			}
		}
	}
	to.discard()
	return s.failed(c.Context(), err)
}

// receive copies the archive to where it goes and checks it on the way.
func (s *session) receive(c *cobra.Command, stream exportStream, to output) (done exported, err error) {
	bar := newBar(c.ErrOrStderr(), "bytes", true)
	defer bar.stop()
	in := &receiver{stream: stream, seen: func(n int64) { done.Bytes = n; bar.at(n, 0) }}
	r := archive.NewReader(io.TeeReader(in, to.raw()))
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return done, to.finish()
		}
		if err != nil {
			return done, streamError(stream, err)
		}
		err = to.message(m, r)
		switch {
		case errors.Is(err, archive.ErrAbandoned):
			done.Damaged++
		case err != nil:
			return done, streamError(stream, err)
		default:
			done.Messages++
			done.Entries += len(m.States)
		}
	}
}

// streamError prefers what the MTA said to what came of it.
func streamError(stream exportStream, err error) error {
	if said := stream.Err(); said != nil {
		return said
	}
	return err
}

func (s *session) exported(c *cobra.Command, done exported, output string) error {
	if done.Damaged > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "%s could not be read from the spool; the log of the MTA names them\n", plural(done.Damaged, "message"))
	}
	text := fmt.Sprintf("%s of %s exported to %s", plural(done.Entries, "entry"), plural(done.Messages, "message"), output)
	switch {
	case output == "-": // standard output has the archive
		fmt.Fprintln(c.ErrOrStderr(), strings.TrimSuffix(text, " to -"))
		return nil
	case s.json:
		return writeJSON(c.OutOrStdout(), done)
	}
	_, err := fmt.Fprintln(c.OutOrStdout(), text)
	return err
}

type exportStream = *connect.ServerStreamForClient[pb.QueueExportResponse]

// receiver reads the pieces that the MTA sends as one stream.
type receiver struct {
	stream exportStream
	rest   []byte
	total  int64
	seen   func(int64)
}

func (r *receiver) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if !r.stream.Receive() {
			if err := r.stream.Err(); err != nil {
				return 0, err
			}
			return 0, io.EOF
		}
		r.rest = r.stream.Msg().Data
		r.total += int64(len(r.rest))
		r.seen(r.total)
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// output is where an archive goes.
type output interface {
	raw() io.Writer // gets the archive as it is
	message(*archive.Message, *archive.Reader) error
	finish() error
	discard()
}

func openOutput(stdout io.Writer, path string) (output, error) {
	switch path {
	case "":
		return nil, usage("where to? want --output FILE, an existing folder, or - for standard output")
	case "-":
		if _, ok := terminal(stdout); ok {
			return nil, usage("an archive is nothing to look at: send standard output to a file or a program")
		}
		return wholeOutput{w: stdout}, nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return folderOutput{path}, nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*"+partial)
	if err != nil {
		return nil, err
	}
	return wholeOutput{w: f, file: f, path: path}, nil
}

// partial ends the name of a file that is not complete yet.
const partial = ".part"

// wholeOutput keeps the archive as it comes.
type wholeOutput struct {
	w    io.Writer
	file *os.File // nil: standard output
	path string
}

func (o wholeOutput) raw() io.Writer { return o.w }

func (o wholeOutput) message(_ *archive.Message, r *archive.Reader) error {
	_, err := r.WriteTo(io.Discard)
	return err
}

func (o wholeOutput) finish() error {
	if o.file == nil {
		return nil
	}
	if err := errors.Join(o.file.Sync(), o.file.Close()); err != nil {
		return err
	}
	return os.Rename(o.file.Name(), o.path)
}

func (o wholeOutput) discard() {
	if o.file != nil {
		o.file.Close()
		os.Remove(o.file.Name())
	}
}

// folderOutput makes an archive of each message.
type folderOutput struct{ path string }

func (o folderOutput) raw() io.Writer { return io.Discard }

func (o folderOutput) message(m *archive.Message, r *archive.Reader) error {
	one, err := openOutput(nil, filepath.Join(o.path, m.Envelope.ID.String()+archive.Suffix))
	if err != nil {
		return err
	}
	w := archive.NewWriter(one.raw())
	err = w.Add(m, r)
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = one.finish()
	}
	if err != nil {
		one.discard()
	}
	return err
}

func (o folderOutput) finish() error { return nil }

func (o folderOutput) discard() {}

func importCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE|FOLDER|-…",
		Short: "Queue the messages of archives that export wrote",
		Long: "Queues the messages of archives, with their retries, due times and holds. Recipients that\n" +
			"are in the queue already are skipped. Of a folder, every file that ends in " + archive.Suffix + " is\n" +
			"taken. Messages that were queued before an error stay.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			files, err := archives(args)
			if err != nil {
				return err
			}
			return s.importAll(c, files)
		},
	}
}

// archives lists the files that the arguments stand for.
func archives(args []string) (files []string, err error) {
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case arg == "-":
			files = append(files, arg)
		case err != nil:
			return nil, err
		case !info.IsDir():
			files = append(files, arg)
		default:
			inside, err := filepath.Glob(filepath.Join(escapeGlob(arg), "*"+archive.Suffix))
			if err != nil {
				return nil, err
			}
			files = append(files, inside...)
		}
	}
	return files, nil
}

// escapeGlob keeps the name of a folder from being taken for a pattern.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

func (s *session) importAll(c *cobra.Command, files []string) error {
	if s.jsonRequest {
		for _, file := range files {
			path, err := filepath.Abs(file)
			if err != nil {
				return err
			}
			if _, err := s.asJSON(c, "E", pb.QueueServiceImportProcedure, &pb.QueueImportRequest{Path: path}); err != nil {
				return err
			}
		}
		return nil
	}
	q, err := s.queue()
	if err != nil {
		return err
	}
	total := &pb.QueueImportResponse{}
	for _, file := range files {
		done, err := s.importFile(c, q, file)
		if err != nil {
			err = fmt.Errorf("%s: %w", file, s.failed(c.Context(), err))
			if total.Messages > 0 {
				err = fmt.Errorf("%w (the files before it are imported)", err)
			}
			return err
		}
		total.Messages += done.Messages
		total.Entries += done.Entries
		total.Skipped += done.Skipped
		total.Damaged += done.Damaged
	}
	return s.imported(c, total)
}

func (s *session) importFile(c *cobra.Command, q pb.QueueServiceClient, path string) (*pb.QueueImportResponse, error) {
	in, length := c.InOrStdin(), int64(0)
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil {
			length = info.Size()
		}
		in = file
	}
	return send(c.Context(), q, in, newBar(c.ErrOrStderr(), "bytes", true), length)
}

// pieceSize is how much of an archive goes in one message.
const pieceSize = 64 << 10

func send(ctx context.Context, q pb.QueueServiceClient, in io.Reader, bar *bar, length int64) (*pb.QueueImportResponse, error) {
	defer bar.stop()
	stream := q.Import(ctx)
	piece := make([]byte, pieceSize)
	for sent := int64(0); ; {
		n, err := io.ReadFull(in, piece)
		if n > 0 {
			if stream.Send(&pb.QueueImportRequest{Data: piece[:n]}) != nil {
				break // the answer says why
			}
			sent += int64(n)
			bar.at(sent, length)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			_, _ = stream.CloseAndReceive()
			return nil, err
		}
	}
	answer, err := stream.CloseAndReceive()
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}

func (s *session) imported(c *cobra.Command, done *pb.QueueImportResponse) error {
	if s.json {
		return writeJSON(c.OutOrStdout(), map[string]uint64{
			"messages": done.Messages, "entries": done.Entries, "skipped": done.Skipped, "damaged": done.Damaged,
		})
	}
	text := fmt.Sprintf("%s of %s imported", plural(done.Entries, "entry"), plural(done.Messages, "message"))
	if done.Skipped > 0 {
		text += fmt.Sprintf(", %s skipped as already queued", plural(done.Skipped, "entry"))
	}
	if done.Damaged > 0 {
		text += fmt.Sprintf(", %s left out as damaged", plural(done.Damaged, "message"))
	}
	_, err := fmt.Fprintln(c.OutOrStdout(), text)
	return err
}
