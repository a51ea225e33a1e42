package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/config/project"
	"github.com/posthaste-mta/posthaste/internal/daemon/smtpd"
)

// newConfigCommand makes the program that packs, checks and describes
// configuration. Without a sub-command it packs (spec operations.md 8.1).
func newConfigCommand() *cobra.Command {
	options := project.Options{Check: checkPacked}
	build := func(c *cobra.Command, _ []string) error { return buildProject(c, options) }
	c := &cobra.Command{
		Use:   "config",
		Short: "Check and pack configuration",
		Long: "Packs a project folder: checks src/config, puts src/hooks and src/files into\n" +
			"dist/smtpd-app.yaml, and leaves dist as it is on any error.",
		Example: "  posthaste config build -C /srv/mail\n  posthaste config check /etc/posthaste/*.yaml\n  posthaste config schema smtpd-app",
		Args:    cobra.NoArgs,
		RunE:    build,
	}
	packing := &cobra.Command{Use: "build", Short: "Pack the project", Args: cobra.NoArgs, RunE: build}
	unpacking := newUnpackCommand(&options)
	for _, one := range []*cobra.Command{c, packing, unpacking} {
		flags := one.Flags()
		flags.StringVarP(&options.Dir, "directory", "C", "", "project `folder` (default the working folder)")
		flags.StringVar(&options.Source, "src-dir", "src", "`folder` of sources")
		flags.StringVar(&options.Dist, "dist-dir", "dist", "`folder` of packed files")
	}
	c.AddCommand(packing, unpacking, newCheckCommand(), newSchemaCommand())
	return c
}

func buildProject(c *cobra.Command, options project.Options) error {
	written, err := project.Build(options)
	if err != nil {
		return err
	}
	printPaths(c, written)
	return nil
}

func printPaths(c *cobra.Command, paths []string) {
	for _, path := range paths {
		fmt.Fprintln(c.OutOrStdout(), path)
	}
}

func newUnpackCommand(options *project.Options) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "unpack",
		Short: "Take packed files apart into sources",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			written, err := project.Unpack(*options, force)
			if err != nil {
				return err
			}
			printPaths(c, written)
			return nil
		},
	}
	c.Flags().BoolVar(&force, "force", false, "replace sources that differ")
	return c
}

func newCheckCommand() *cobra.Command {
	var kind string
	var env bool
	c := &cobra.Command{
		Use:   "check FILE...",
		Short: "Check files, each by itself",
		Long: "Checks files against their schemas. The name of a file tells its kind. Whether files\n" +
			"agree with each other is checked by 'posthaste smtpd --check' and by 'build'.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			loading := config.LoadOptions{EnvSubstitution: env, DeferEnv: !env}
			return checkFiles(c, files, config.Kind(kind), loading)
		},
	}
	c.Flags().StringVar(&kind, "kind", "", "take the files for this `kind`, whatever their names")
	c.Flags().BoolVar(&env, "config-env-substitution", false, "substitute !Env from the environment (default: accept any value)")
	return c
}

// checkFiles reports on every file and fails if one is wrong.
func checkFiles(c *cobra.Command, files []string, kind config.Kind, loading config.LoadOptions) error {
	var failed []string
	for _, file := range files {
		of := kind
		if of == "" {
			var err error
			if of, err = config.KindOf(file); err != nil {
				return withCode(exitUsage, fmt.Errorf("%w; give --kind", err))
			}
		}
		_, warnings, err := config.Open(file, of, loading)
		if err != nil {
			fmt.Fprintln(c.ErrOrStderr(), err)
			failed = append(failed, file)
			continue
		}
		for _, line := range warnings.Lines() {
			fmt.Fprintln(c.ErrOrStderr(), "warning:", line)
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: OK\n", file)
	}
	if len(failed) > 0 {
		return fmt.Errorf("mistakes in %s", strings.Join(failed, ", "))
	}
	return nil
}

func newSchemaCommand() *cobra.Command {
	var kinds []string
	for _, kind := range config.Kinds() {
		kinds = append(kinds, string(kind))
	}
	return &cobra.Command{
		Use:       "schema KIND",
		Short:     "Print the JSON Schema of a kind of file, for editors",
		Long:      "Prints the JSON Schema (draft-07) of a kind of file. Kinds:\n\n  " + strings.Join(kinds, "\n  "),
		Args:      cobra.ExactArgs(1),
		ValidArgs: kinds,
		RunE: func(c *cobra.Command, args []string) error {
			text, err := config.SchemaText(config.Kind(args[0]))
			if err != nil {
				return withCode(exitUsage, fmt.Errorf("%w; one of %s", err, strings.Join(kinds, ", ")))
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
}

// checkPacked finds out whether the packed files of smtpd agree with each
// other and their scripts compile. Wherever the environment says that they will lie, those of the project
// are meant.
func checkPacked(dist string, files map[config.Kind][]byte) error {
	if files[config.SMTPD] == nil || files[config.SMTPDApp] == nil {
		return nil
	}
	path := func(kind config.Kind) string { return filepath.Join(dist, string(kind)+".yaml") }
	loading := config.LoadOptions{ReadFile: func(name string) ([]byte, error) {
		for kind, data := range files {
			if path(kind) == name {
				return data, nil
			}
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}}
	startup, _, err := smtpd.LoadStartup(path(config.SMTPD), loading)
	if err != nil {
		return err
	}
	environment := &startup.Environment
	environment.AppConf, environment.PolicyConf = path(config.SMTPDApp), path(config.SMTPDPolicy)
	environment.SuspendConf, environment.DeliveryConf = path(config.SMTPDSuspend), path(config.SMTPDDelivery)
	running, _, err := smtpd.LoadRunning(startup, loading)
	if err != nil {
		return err
	}
	return smtpd.CheckScripts(running)
}
