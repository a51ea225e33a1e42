package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/hsl/unittest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script"
)

type testFlags struct {
	scriptFlags
	only     string
	junit    string
	timeout  time.Duration
	watch    bool
	verbose  bool
	coverage coverageFlags
}

// newTestCommand makes hsh test.
func newTestCommand() *cobra.Command {
	var f testFlags
	c := &cobra.Command{
		Use:   "test [DIR|FILE...]",
		Short: "Run the tests of scripts",
		Long: "Runs the tests in files that are named or whose names end in _test.hsl below folders that are\n" +
			"named, by default the working folder. Exits with 0 if no test fails, 1 if some do, 2 if it cannot run them.",
		Example: "  posthaste hsh test tests\n  posthaste hsh test --files src/files --watch tests\n  posthaste hsh test --junit report.xml\n" +
			"  posthaste hsh test --files src/files --coverage --coverage-html coverage.html tests",
		RunE: func(c *cobra.Command, args []string) error { return runTests(c, f, args) },
	}
	f.declare(c)
	flags := c.Flags()
	flags.StringVar(&f.only, "run", "", "run only the tests whose names match the regular `expression`")
	flags.StringVar(&f.junit, "junit", "", "write a report in JUnit's XML to the `file`")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "end a test after this `time`")
	flags.BoolVarP(&f.watch, "watch", "w", false, "run the tests again whenever a file changes, until interrupted")
	f.coverage.declare(c)
	flags.BoolVar(&f.verbose, "verbose", false, "show tests that pass, too, and what tests echo")
	return c
}

func runTests(c *cobra.Command, f testFlags, paths []string) error {
	if len(paths) == 0 {
		paths = []string{"."}
	}
	only, err := regexp.Compile(f.only)
	if err != nil {
		return withCode(exitUsage, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if f.watch {
		return watchTests(ctx, c, paths, f.tree, func() {
			if err := runOnce(ctx, c, &f, only, paths); err != nil {
				fmt.Fprintln(c.ErrOrStderr(), "test:", err)
			}
		})
	}
	return runOnce(ctx, c, &f, only, paths)
}

// runOnce runs all tests and fails if one of them does.
func runOnce(ctx context.Context, c *cobra.Command, f *testFlags, only *regexp.Regexp, paths []string) error {
	names, err := testFiles(paths)
	if err != nil {
		return withCode(exitUsage, err)
	}
	loader, err := f.files(c.InOrStdin())
	if err != nil {
		return withCode(exitUsage, err)
	}
	o := unittest.Options{Library: f.library(loader, nil), Loader: loader, Phase: phaseLibrary, Only: only, Timeout: f.timeout, Coverage: f.coverage.profile(f.tree)}
	began := time.Now()
	var results []unittest.Result
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return withCode(exitUsage, err)
		}
		unittest.File(ctx, name, string(text), o, func(r unittest.Result) {
			results = append(results, r)
			_ = unittest.Text(c.OutOrStdout(), r, f.verbose) // the summary follows, and fails as well if nobody listens
		})
	}
	if f.junit != "" {
		if err := writeReport(f.junit, func(w io.Writer) error { return unittest.JUnit(w, results) }); err != nil {
			return withCode(exitUsage, err)
		}
	}
	if err := summarise(c, len(names), results, time.Since(began)); err != nil {
		return errors.Join(err, f.coverage.report(c.OutOrStdout(), o.Coverage))
	}
	return f.coverage.report(c.OutOrStdout(), o.Coverage)
}

func summarise(c *cobra.Command, files int, results []unittest.Result, took time.Duration) error {
	count := map[unittest.Status]int{}
	for _, r := range results {
		count[r.Status]++
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "%d files, %d tests: %d passed, %d failed, %d skipped in %s\n",
		files, len(results), count[unittest.Passed], count[unittest.Failed], count[unittest.Skipped], took.Round(time.Millisecond))
	if n := count[unittest.Failed]; n > 0 {
		return fmt.Errorf("%d of %d failed", n, len(results))
	}
	return err
}

// writeReport writes a file.
func writeReport(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// phaseLibrary returns what a phase adds to the library, "" standing for any.
func phaseLibrary(phase string) (*value.Library, bool) {
	if phase == "" {
		return script.AnyPhase(nil), true
	}
	return script.Library(phase, nil)
}

// testSuffix marks the files that have tests in them.
const testSuffix = "_test.hsl"

// testFiles returns the test files that paths name or hold, in order.
func testFiles(paths []string) ([]string, error) {
	var names []string
	for _, root := range paths {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
				return fs.SkipDir
			case !d.IsDir() && (path == root || strings.HasSuffix(path, testSuffix)):
				names = append(names, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no files %s in %s", "*"+testSuffix, strings.Join(paths, ", "))
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// settle is how long files must be quiet before tests run: editors write a file
// in several steps.
const settle = 100 * time.Millisecond

// watchTests calls run at once and after every change of a file in the working
// folder, the paths or the tree of files, until ctx ends.
func watchTests(ctx context.Context, c *cobra.Command, paths []string, tree string, run func()) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer watcher.Close()
	for _, root := range append([]string{".", tree}, paths...) {
		if root == "" {
			continue
		}
		if err := watchFolders(watcher, root); err != nil {
			return err
		}
	}
	quiet := time.NewTimer(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-watcher.Events:
			if event.Has(fsnotify.Create) {
				_ = watchFolders(watcher, event.Name) // it may be gone again
			}
			if interesting(event) {
				quiet.Reset(settle)
			}
		case err := <-watcher.Errors:
			return err
		case <-quiet.C:
			run()
			fmt.Fprintln(c.OutOrStdout(), "waiting for changes; Ctrl-C ends")
		}
	}
}

// interesting reports whether an event is a change of something that a script is
// made of, and not of a report that the tests write.
func interesting(event fsnotify.Event) bool {
	written := []string{".xml", ".html", ".info"}
	return event.Op != fsnotify.Chmod && !slices.Contains(written, filepath.Ext(event.Name)) && !strings.HasPrefix(filepath.Base(event.Name), ".")
}

// watchFolders watches a folder and those below it, and the folder of a file.
func watchFolders(w *fsnotify.Watcher, root string) error {
	if info, err := os.Stat(root); err == nil && !info.IsDir() {
		return w.Add(filepath.Dir(root))
	}
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || !d.IsDir():
			return err
		case path != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		}
		return w.Add(path)
	})
}
