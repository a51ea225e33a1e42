package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/daemon"
	"github.com/posthaste-mta/posthaste/internal/daemon/smtpd"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/shell"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/engine"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/system"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script"
	"github.com/posthaste-mta/posthaste/internal/script/extra"
	"github.com/posthaste-mta/posthaste/internal/script/lookup"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
)

// hshFlags are those of hsh (spec operations.md 8.3).
type hshFlags struct {
	scriptFlags
	plugins  []string
	ffi      bool
	binary   bool
	syntax   bool
	privdrop bool
	debugger string
	memory   string
	time     time.Duration
}

// scriptFlags say where the files of scripts come from.
type scriptFlags struct {
	startup string
	app     string
	root    string
	tree    string
	env     bool

	resolver func() (dns.Options, error) // how to ask the DNS; set by files
}

func (f *scriptFlags) declare(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVarP(&f.startup, "config", "c", "", "startup configuration `file`, which leads to the running one (default /etc/posthaste/smtpd.yaml)")
	flags.StringVarP(&f.app, "appconf", "A", "", "running configuration `file`, whose scripting.files scripts can import; - reads standard input")
	flags.StringVarP(&f.root, "rootpath", "R", "", "`folder` of file:// paths (default scripting.rootpath of the startup configuration)")
	flags.StringVar(&f.tree, "files", "", "`folder` whose files stand for scripting.files, such as src/files of a project")
	flags.BoolVar(&f.env, "config-env-substitution", false, "allow the tag !Env in configuration files")
	_ = c.MarkFlagDirname("rootpath") // both are declared above
	_ = c.MarkFlagDirname("files")
	c.ValidArgsFunction = completeScripts
}

// completeScripts has the shell complete the names of scripts.
func completeScripts(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{"hsl"}, cobra.ShellCompDirectiveFilterFileExt
}

func newHSHCommand() *cobra.Command {
	var f hshFlags
	c := &cobra.Command{
		Use:   "hsh [FILE|-] [ARGUMENT...]",
		Short: "Run scripts outside the MTA",
		Long: "Runs a script in HSL, or without a file an interactive session. A script finds its name and\n" +
			"arguments in $argv. Exits with 1 after an error that no script caught, with 2 when the\n" +
			"script has mistakes.",
		Version: version(),
		Example: "  posthaste hsh report.hsl 2026-01\n  echo 'echo sha2(\"x\", 256);' | posthaste hsh -\n  posthaste hsh --syntax src/hooks/eod/*.hsl",
		Args:    cobra.ArbitraryArgs,
		RunE:    func(c *cobra.Command, args []string) error { return runHSH(c, f, args) },
	}
	f.declare(c)
	flags := c.Flags()
	flags.SetInterspersed(false) // what follows the script is the script's
	flags.StringArrayVarP(&f.plugins, "plugin", "p", nil, "load the plug-in `ID` with its settings from the configuration (repeatable)")
	flags.BoolVarP(&f.ffi, "ffi", "F", false, "allow foreign functions (this binary has none and refuses)")
	flags.BoolVarP(&f.binary, "binary", "B", false, "print what is echoed as it is, without line breaks")
	flags.BoolVarP(&f.syntax, "syntax", "s", false, "check the syntax of files and end; functions need not exist")
	flags.StringVarP(&f.debugger, "debugger", "C", "", "stop at break points (__debug) and let the debugger that listens on this `socket` look and go on")
	flags.BoolVarP(&f.privdrop, "privdrop", "P", false, "become the user of environment.privdrop in the startup configuration")
	flags.StringVar(&f.memory, "memory", "1GiB", "most `memory` that a script may hold; 0 does not limit it")
	flags.DurationVar(&f.time, "time", 0, "most `time` that a script may take, such as 30s; 0 does not limit it")
	flags.BoolP("version", "v", false, "print the version and end")
	c.AddCommand(newLintCommand(), newTestCommand())
	return c
}

func runHSH(c *cobra.Command, f hshFlags, args []string) error {
	switch {
	case f.ffi:
		return withCode(exitUsage, errors.New("foreign functions (-F) are not in this binary, which is static"))
	case f.syntax:
		return checkSyntax(c, args)
	case f.app == "-" && (len(args) == 0 || args[0] == "-"):
		return withCode(exitUsage, errors.New("standard input cannot be both the running configuration and the script"))
	}
	files, err := f.files(c.InOrStdin())
	if err != nil {
		return err
	}
	modules, done, err := f.modules(c.Context())
	if err != nil {
		return err
	}
	defer done()
	files.Modules = modules
	memory, err := config.ParseBytes(f.memory)
	if err != nil {
		return withCode(exitUsage, fmt.Errorf("--memory: %w", err))
	}
	o := shell.Options{
		Library: f.library(files, c.ErrOrStderr()), Loader: files, Output: c.OutOrStdout(), Raw: f.binary,
		Limits: value.Limits{Memory: int64(memory), Time: f.time},
	}
	if f.debugger != "" {
		reached, done, err := debug(c.Context(), f.debugger)
		if err != nil {
			return fmt.Errorf("debugger (-C): %w", err)
		}
		defer done()
		o.Debug = reached
	}
	if f.privdrop {
		if err := f.dropPrivileges(); err != nil {
			return withCode(exitUsage, err)
		}
	}
	if len(args) == 0 && isTerminal(c.InOrStdin()) {
		return converse(c, o)
	}
	name, text, err := readScript(c, args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	reserve = make([]byte, 64<<20)
	return scriptError(shell.Script(ctx, name, text, args[min(1, len(args)):], o))
}

// dropPrivileges becomes the user that the startup configuration names, once that
// has been read.
func (f *scriptFlags) dropPrivileges() error {
	startup, _, err := smtpd.LoadStartup(f.startup, config.LoadOptions{EnvSubstitution: f.env})
	if err != nil {
		return fmt.Errorf("giving up privileges (-P) needs a startup configuration (-c): %w", err)
	}
	who := startup.Environment.PrivDrop
	if who.User == "" {
		return errors.New("giving up privileges (-P): the startup configuration names no user in environment.privdrop")
	}
	id, err := daemon.LookupIdentity(who.User, who.Group)
	if err != nil {
		return err
	}
	return id.Become()
}

// reserve is memory that nobody writes to. The collector waits until the heap has
// doubled; with this in it a script of a few megabytes is done before. It takes room
// only in the address space, and saves a quarter of the time of scripts that
// allocate much.
var reserve []byte //nolint:unused // its size is what counts

// standardLibrary returns what scripts find outside the MTA. What is looked up
// in it is answered by the system's resolvers; it is for checking scripts.
func standardLibrary() *value.Library {
	f := scriptFlags{resolver: func() (dns.Options, error) { return dns.Options{}, nil }}
	return f.library(nil, nil)
}

// library returns what scripts find that run with these flags. Where they connect
// to is written to log; without one they cannot send, nor look up the keys of
// signatures.
func (f *scriptFlags) library(files *shell.Files, log io.Writer) *value.Library {
	resolver := sync.OnceValue(f.newResolver)
	names := lookup.New(resolver)
	o := stdlib.Options{
		Resolver: names, Engine: engine.Options{Sender: names},
		System: system.Options{Log: func(_ int, message string) { fmt.Fprintln(os.Stderr, "hsh: "+message) }},
	}
	if files != nil {
		o.Files = files
	}
	var messages mail.Options
	client := script.NewClient(newOutlet(resolver, log), f.resources())
	if log != nil {
		messages.Sender, messages.Resolver = client, names
	}
	return mail.New(messages).Library(client.Library(stdlib.New(o)))
}

// newResolver makes the resolver when a script first asks the DNS: that of the
// configuration, or the system's if it cannot be read, which the script is not
// about. It lives as long as the program.
func (f *scriptFlags) newResolver() *dns.Resolver {
	o, err := f.resolver()
	if err != nil {
		o = dns.Options{}
	}
	r, err := dns.New(o)
	if err != nil {
		// Without resolv.conf there is still the one on loopback.
		r, _ = dns.New(dns.Options{Servers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}})
	}
	return r
}

// scriptError shows an error of a script with its source line and stack, and
// chooses the exit code.
func scriptError(err error) error {
	if err == nil {
		return nil
	}
	shown := errors.New(shell.Detail(err))
	var mistakes hsl.Errors
	if errors.As(err, &mistakes) {
		return withCode(exitUsage, shown)
	}
	return shown
}

// readScript reads the script that the first argument names, or standard input.
func readScript(c *cobra.Command, args []string) (name, text string, err error) {
	if len(args) == 0 || args[0] == "-" {
		data, err := io.ReadAll(c.InOrStdin())
		return "-", string(data), err
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return "", "", withCode(exitUsage, err)
	}
	return args[0], string(data), nil
}

// checkSyntax parses files and reports on all of them.
func checkSyntax(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		args = []string{"-"}
	}
	var mistakes hsl.Errors
	for _, file := range args {
		name, text, err := readScript(c, []string{file})
		if err != nil {
			return err
		}
		var found hsl.Errors
		if err := hsl.Check(name, text); errors.As(err, &found) {
			mistakes = append(mistakes, found...)
		} else if err != nil {
			return err
		}
	}
	if len(mistakes) > 0 {
		return scriptError(mistakes)
	}
	return nil
}

// files returns what finds the files of scripts. A configuration that was named
// is read at once. The default one is read only when a script asks for what it
// says, so that it need not exist and starts are fast.
func (f *scriptFlags) files(stdin io.Reader) (*shell.Files, error) {
	if f.tree != "" {
		found, err := readTree(f.tree)
		return f.filesOf(func() (configuration, error) { return found, nil }), err
	}
	loading := config.LoadOptions{EnvSubstitution: f.env}
	if f.startup == "" && f.app == "" {
		return f.filesOf(sync.OnceValues(func() (configuration, error) {
			found, err := readConfiguration("", "", loading)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
				return configuration{}, nil
			}
			return found, err
		})), nil
	}
	startup := f.startup
	if startup == "" {
		startup = os.DevNull
	}
	if f.app == "-" {
		loading.ReadFile = func(path string) ([]byte, error) {
			if path == "-" {
				return io.ReadAll(stdin)
			}
			return os.ReadFile(path)
		}
	}
	found, err := readConfiguration(startup, f.app, loading)
	return f.filesOf(func() (configuration, error) { return found, nil }), err
}

// configuration is what a configuration says of scripts, and of the DNS.
type configuration struct {
	shell.Configuration
	resolver dns.Options
}

// filesOf returns the files of a configuration that may be read later.
func (f *scriptFlags) filesOf(read func() (configuration, error)) *shell.Files {
	f.resolver = func() (dns.Options, error) {
		found, err := read()
		return found.resolver, err
	}
	return &shell.Files{Root: f.root, Modules: extra.New(extra.Options{}), Configuration: func() (shell.Configuration, error) {
		found, err := read()
		return found.Configuration, err
	}}
}

// readTree returns the files of a folder as those of a configuration.
func readTree(folder string) (configuration, error) {
	found := configuration{Configuration: shell.Configuration{Files: map[string][]byte{}}}
	tree := os.DirFS(folder)
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		found.Files[path], err = fs.ReadFile(tree, path)
		return err
	})
	return found, err
}

// readConfiguration reads what the files of a configuration say of scripts; the
// rest of them need only fit the schemas. With the null device for the startup
// file there is none, and an empty app is where the startup file says.
func readConfiguration(startup, app string, loading config.LoadOptions) (found configuration, err error) {
	if startup != os.DevNull {
		s, _, err := smtpd.LoadStartup(startup, loading)
		if err != nil {
			return found, err
		}
		found.Root = s.Scripting.RootPath
		if app == "" {
			app = s.Environment.AppConf
		}
	}
	if app == "" {
		return found, nil
	}
	running := new(smtpd.Running)
	if _, err := config.Load(app, config.SMTPDApp, running, loading); err != nil {
		return found, err
	}
	found.resolver = running.Resolver.Options()
	found.Files, err = running.Scripting.Contents()
	return found, err
}

func isTerminal(r io.Reader) bool {
	file, ok := r.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// converse holds an interactive session on the terminal.
func converse(c *cobra.Command, o shell.Options) error {
	history, err := shell.OpenHistory(historyPath())
	if err != nil {
		fmt.Fprintln(c.ErrOrStderr(), "hsh: history is not kept:", err)
	}
	defer history.Close()
	fd := int(os.Stdin.Fd())
	console := shell.Console{
		Session: shell.NewSession(o),
		History: history,
		Terminal: struct {
			io.Reader
			io.Writer
		}{os.Stdin, os.Stdout},
		Raw: func() (func(), error) {
			state, err := term.MakeRaw(fd)
			return func() { _ = term.Restore(fd, state) }, err
		},
		Running: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return signal.NotifyContext(ctx, os.Interrupt)
		},
		Size: func() (int, int, error) { return term.GetSize(int(os.Stdout.Fd())) },
	}
	return console.Run(context.Background())
}

// historyPath returns where the lines of sessions are kept, "" when the user has
// no home.
func historyPath() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "posthaste", "hsh_history")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "state", "posthaste", "hsh_history")
}
