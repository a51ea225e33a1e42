package queue

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/queue/archive"
	"github.com/posthaste-mta/posthaste/internal/vfs"
)

func (w *world) export(conditions ...Condition) (*bytes.Buffer, Exported) {
	w.t.Helper()
	f, err := NewFilter(conditions)
	if err != nil {
		w.t.Fatal(err)
	}
	var out bytes.Buffer
	done, err := w.queue.Export(w.t.Context(), f, archive.NewWriter(&out))
	if err != nil {
		w.t.Fatal(err)
	}
	return &out, done
}

// picture is what matters of the entries, one line each, sorted.
func (w *world) picture() string {
	w.t.Helper()
	var lines []string
	err := w.queue.Walk(w.t.Context(), nil, func(v *View) bool {
		if err := w.queue.Load(v); err != nil {
			w.t.Error(err)
		}
		due := "-"
		if !v.Due.IsZero() {
			due = v.Due.Format(time.TimeOnly)
		}
		lines = append(lines, fmt.Sprint(v.ID, v.Recipient, v.Sender, v.State, v.Retry, due, v.Reason, v.Transport,
			v.Metadata(), v.Notified, v.Received.UnixMilli(), v.Size, v.Subject(), v.Quotas))
		return true
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// deferring keeps everything but reports in the queue.
func deferring(w *world) {
	w.courier.reply = func(a *delivery.Attempt) delivery.Outcome {
		if a.Sender.IsNull() { // a report of ours
			return ok()
		}
		return deferred("451 4.7.1 come back later")
	}
}

// TestTransfer moves a queue to another host, which is restarted after that.
// What is known of each entry is the same, and the mail goes out as it was.
func TestTransfer(t *testing.T) {
	inWorld(t, deferring, func(from *world) {
		r := recipient(1, "a@one.example")
		r.Metadata, r.Quotas = map[string]string{"k": "v"}, []string{"q"}
		from.add(r, recipient(2, "b@two.example"), recipient(3, "c@three.example"))
		from.add(recipient(1, "d@four.example"))
		synctest.Wait()
		from.update(Action{Verb: Hold, Metadata: map[string]string{"n": "1"}}, Condition{"recipientdomain", []string{"one.example"}})
		from.update(Action{Verb: Postpone, Delay: 3 * time.Hour}, Condition{"recipientdomain", []string{"two.example"}})
		time.Sleep(20 * time.Minute)
		synctest.Wait()

		out, done := from.export()
		if done != (Exported{Messages: 2, Entries: 4}) {
			from.t.Fatalf("exported %+v", done)
		}
		before := from.picture()

		to := newWorld(from.t)
		deferring(to)
		to.start()
		in, err := to.queue.Import(from.t.Context(), archive.NewReader(out))
		if err != nil || in != (Imported{Messages: 2, Entries: 4}) {
			from.t.Fatalf("imported %+v, %v", in, err)
		}
		synctest.Wait()
		if after := to.picture(); after != before {
			from.t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
		to.stop()
		to.start()
		defer to.stop()
		synctest.Wait()
		if after := to.picture(); after != before {
			from.t.Errorf("before:\n%s\nafter a restart:\n%s", before, after)
		}
		to.courier.reply = nil
		to.update(Action{Verb: Release})
		to.update(Action{Verb: Activate})
		synctest.Wait()
		seen := to.courier.seen()
		if len(seen) != 4 || to.count() != 0 || seen[0].body != "Subject: hi\r\n\r\nhello\r\n" {
			from.t.Errorf("%d attempts, %d entries left, %+v", len(seen), to.count(), seen)
		}
	})
}

// TestTransferPart: of a message only the recipients that were asked for go.
func TestTransferPart(t *testing.T) {
	inWorld(t, deferring, func(from *world) {
		from.add(recipient(1, "a@one.example"), recipient(2, "b@two.example"), recipient(3, "c@three.example"))
		synctest.Wait()
		out, done := from.export(Condition{"recipientdomain", []string{"two.example", "three.example"}})
		if done != (Exported{Messages: 1, Entries: 2}) {
			from.t.Fatalf("exported %+v", done)
		}
		to := newWorld(from.t)
		deferring(to)
		to.start()
		defer to.stop()
		if in, err := to.queue.Import(from.t.Context(), archive.NewReader(out)); err != nil || in.Entries != 2 {
			from.t.Fatalf("imported %+v, %v", in, err)
		}
		if n := to.count(Condition{"recipientdomain", []string{"one.example"}}); n != 0 || to.count() != 2 {
			from.t.Errorf("%d of the wrong recipient, %d in all", n, to.count())
		}
		to.courier.reply = nil
		to.update(Action{Verb: Activate})
		synctest.Wait()
		if n := to.count(); n != 0 {
			from.t.Errorf("%d left", n)
		}
	})
}

// TestImportTwice: what is there is not queued again; what is not, is.
func TestImportTwice(t *testing.T) {
	inWorld(t, deferring, func(w *world) {
		w.add(recipient(1, "a@one.example"), recipient(2, "b@two.example"))
		w.add(recipient(1, "c@three.example"))
		synctest.Wait()
		out, _ := w.export()
		raw := out.Bytes()
		in, err := w.queue.Import(w.t.Context(), archive.NewReader(bytes.NewReader(raw)))
		if err != nil || in != (Imported{Skipped: 3}) || w.count() != 3 {
			w.t.Fatalf("imported %+v, %v; %d entries", in, err, w.count())
		}
		w.update(Action{Verb: Remove}, Condition{"recipientdomain", []string{"two.example"}})
		synctest.Wait()
		in, err = w.queue.Import(w.t.Context(), archive.NewReader(bytes.NewReader(raw)))
		if err != nil || in != (Imported{Messages: 1, Entries: 1, Skipped: 2}) || w.count() != 3 {
			w.t.Fatalf("imported %+v, %v; %d entries", in, err, w.count())
		}
	})
}

// scribble replaces text in the files of the spool.
func (w *world) scribble(old, text string) {
	w.t.Helper()
	done := false
	for _, name := range w.fs.Names() {
		data, err := vfs.ReadFile(w.fs, name)
		i := bytes.Index(data, []byte(old))
		if err != nil || i < 0 {
			continue
		}
		f, err := w.fs.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte(text), int64(i)); err != nil {
			w.t.Fatal(err)
		}
		done = true
	}
	if !done {
		w.t.Fatalf("%q is in no file", old)
	}
}

// TestExportDamaged: a message that cannot be read is left out and counted.
func TestExportDamaged(t *testing.T) {
	inWorld(t, deferring, func(w *world) {
		w.add(recipient(1, "a@one.example"))
		synctest.Wait()
		if err := w.store.Flush(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		w.scribble("hello", "hellX")
		_, done := w.export()
		w.scribble("hellX", "hello")
		if done != (Exported{Damaged: 1}) || len(w.errs) != 1 {
			w.t.Errorf("exported %+v; reported %v", done, w.errs)
		}
		if out, done := w.export(); done != (Exported{Messages: 1, Entries: 1}) || out.Len() == 0 {
			w.t.Errorf("when it can be read again: %+v", done)
		}
	})
}

// TestExportStops: a receiver that is gone ends the walk.
func TestExportStops(t *testing.T) {
	inWorld(t, deferring, func(w *world) {
		for range 10 {
			w.add(recipient(1, "a@one.example"))
		}
		synctest.Wait()
		done, err := w.queue.Export(w.t.Context(), nil, archive.NewWriter(&full{room: 600}))
		if !errors.Is(err, errFull) || done.Messages == 0 || done.Messages > 4 {
			w.t.Errorf("exported %+v, %v", done, err)
		}
	})
}

var errFull = errors.New("no room")

type full struct{ room int }

func (f *full) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// TestImportFails: when the disk fails nothing of the message remains, and the
// error says which one it was.
func TestImportFails(t *testing.T) {
	inWorld(t, deferring, func(from *world) {
		id := from.add(recipient(1, "a@one.example"))
		synctest.Wait()
		out, _ := from.export()
		to := newWorld(from.t)
		to.start()
		defer func() {
			if err := to.queue.Stop(from.t.Context()); err != nil {
				from.t.Error(err)
			}
			_ = to.store.Close() // its disk has failed
		}()
		to.broken.Store(true)
		in, err := to.queue.Import(from.t.Context(), archive.NewReader(out))
		if err == nil || !strings.Contains(err.Error(), id.String()) || in.Messages != 0 || to.count() != 0 {
			from.t.Errorf("imported %+v, %v; %d entries", in, err, to.count())
		}
	})
}

// TestContent: a view of a message that has left is not answered with another's
// bytes.
func TestContent(t *testing.T) {
	inWorld(t, deferring, func(w *world) {
		w.add(recipient(1, "a@one.example"))
		synctest.Wait()
		var old View
		if err := w.queue.Walk(w.t.Context(), nil, func(v *View) bool { old = *v; return false }); err != nil {
			w.t.Fatal(err)
		}
		body, err := w.queue.Content(&old)
		if err != nil {
			w.t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := body.WriteTo(&b); err != nil || b.String() != "Subject: hi\r\n\r\nhello\r\n" || old.Envelope == nil {
			w.t.Errorf("%q, %v", b.String(), err)
		}
		if err := body.Close(); err != nil {
			w.t.Error(err)
		}
		w.update(Action{Verb: Remove})
		synctest.Wait()
		w.add(recipient(1, "b@two.example")) // may get the same handle
		if _, err := w.queue.Content(&old); !errors.Is(err, ErrGone) {
			w.t.Errorf("a message that has left: %v", err)
		}
	})
}

// TestWalkMeetsLeavers: entries that leave while a walk reads envelopes neither
// end it nor lend it those of others.
func TestWalkMeetsLeavers(t *testing.T) {
	inWorld(t, deferring, func(w *world) {
		for range 3 {
			w.add(recipient(1, "a@one.example"))
		}
		synctest.Wait()
		f, err := NewFilter([]Condition{{"subject", []string{"hi"}}})
		if err != nil {
			w.t.Fatal(err)
		}
		var seen []string
		err = w.queue.Walk(w.t.Context(), f, func(v *View) bool {
			if seen = append(seen, v.Recipient.String()); len(seen) == 1 {
				w.update(Action{Verb: Remove})
				synctest.Wait()
				w.add(recipient(1, "b@two.example"))
				synctest.Wait()
			}
			return true
		})
		if err != nil || seen[0] != "a@one.example" || len(seen) > 2 || len(w.errs) > 0 {
			w.t.Errorf("seen %v, %v; reported %v", seen, err, w.errs)
		}
	})
}
