package smtpd

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// LoadStartup reads smtpd.yaml. An empty path means the file of the layout, and
// a zero layout in options means the one that config.FindLayout finds.
//
// Files that the environment does not name are looked for beside path first and
// then where the layout has them (spec config.md 2.2).
func LoadStartup(path string, options config.LoadOptions) (*Startup, config.Warnings, error) {
	if options.Layout == (config.Layout{}) {
		options.Layout = config.FindLayout(config.SMTPD, nil)
	}
	if path == "" {
		path = options.Layout.File(config.SMTPD)
	}
	doc, warnings, err := config.Open(path, config.SMTPD, options)
	if err != nil {
		return nil, warnings, err
	}
	s := &Startup{Path: path, layout: options.Layout, document: doc}
	if err := doc.Decode(s); err != nil {
		return nil, warnings, err
	}
	s.locate(options)
	if err := checkStartup(s); err != nil {
		return nil, warnings, err
	}
	return s, warnings, nil
}

// locate fills in where the running files are.
func (s *Startup) locate(options config.LoadOptions) {
	for kind, path := range map[config.Kind]*string{
		config.SMTPDApp:      &s.Environment.AppConf,
		config.SMTPDPolicy:   &s.Environment.PolicyConf,
		config.SMTPDSuspend:  &s.Environment.SuspendConf,
		config.SMTPDDelivery: &s.Environment.DeliveryConf,
	} {
		if *path != "" {
			continue
		}
		*path = filepath.Join(filepath.Dir(s.Path), string(kind)+".yaml")
		// One of the small files that is nowhere yet is expected beside the startup
		// file.
		usual := s.layout.File(kind)
		if !options.Exists(*path) && (kind == config.SMTPDApp || options.Exists(usual)) {
			*path = usual
		}
	}
}

// LoadRunning reads smtpd-app.yaml and the three small files that startup names
// and checks them against it and against each other (spec config.md 18). A small
// file that does not exist counts as empty.
func LoadRunning(startup *Startup, options config.LoadOptions) (*Running, config.Warnings, error) {
	r, warnings, err := loadApp(startup, options)
	if err != nil {
		return nil, warnings, err
	}
	var errs []error
	r.Policy, warnings, err = collect(LoadPolicy, startup, r, options, warnings)
	errs = append(errs, err)
	r.Suspend, warnings, err = collect(LoadSuspend, startup, r, options, warnings)
	errs = append(errs, err)
	r.Delivery, warnings, err = collect(LoadDelivery, startup, r, options, warnings)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, warnings, err
	}
	return r, warnings, nil
}

// collect calls one of the loaders below and gathers warnings.
func collect[T any](
	load func(*Startup, *Running, config.LoadOptions) (T, config.Warnings, error),
	startup *Startup, r *Running, options config.LoadOptions, before config.Warnings,
) (T, config.Warnings, error) {
	part, warnings, err := load(startup, r, options)
	return part, append(before, warnings...), err
}

// Reload reads smtpd-app.yaml anew. Policies, suspensions and delivery settings
// are those of r: they have reloads of their own.
func (r *Running) Reload(startup *Startup, options config.LoadOptions) (*Running, config.Warnings, error) {
	next, warnings, err := loadApp(startup, options)
	if err != nil {
		return nil, warnings, err
	}
	next.Policy, next.Suspend, next.Delivery = r.Policy, r.Suspend, r.Delivery
	return next, warnings, nil
}

func loadApp(startup *Startup, options config.LoadOptions) (*Running, config.Warnings, error) {
	options.Layout = startup.layout
	doc, warnings, err := config.Open(startup.Environment.AppConf, config.SMTPDApp, options)
	return decodeApp(startup, doc, warnings, err)
}

// LoadStaged reads a running configuration that is in no file: that of the live
// stage of that id. Policies, suspensions and delivery settings are those of r.
func (r *Running) LoadStaged(startup *Startup, id, text string, options config.LoadOptions) (*Running, config.Warnings, error) {
	options.Layout = startup.layout
	doc, warnings, err := config.Parse("stage "+id, []byte(text), config.SMTPDApp, options)
	next, warnings, err := decodeApp(startup, doc, warnings, err)
	if err != nil {
		return nil, warnings, err
	}
	next.Policy, next.Suspend, next.Delivery = r.Policy, r.Suspend, r.Delivery
	return next, warnings, nil
}

// decodeApp makes a running configuration of a document, unless there was an
// error in it.
func decodeApp(startup *Startup, doc *config.Document, warnings config.Warnings, err error) (*Running, config.Warnings, error) {
	if err != nil {
		return nil, warnings, err
	}
	doc.Inherit("transportgroups", "transports", "id")
	r := &Running{document: doc}
	if err := doc.Decode(r); err != nil {
		return nil, warnings, err
	}
	more, err := checkRunning(startup, r)
	if err != nil {
		return nil, warnings, err
	}
	return r, append(warnings, more...), nil
}

// LoadPolicy reads smtpd-policy.yaml, whose lists and groupings are those of
// running. The result is empty when there is no such file.
func LoadPolicy(startup *Startup, running *Running, options config.LoadOptions) (*Policy, config.Warnings, error) {
	p := new(Policy)
	warnings, err := loadSmall(startup, startup.Environment.PolicyConf, config.SMTPDPolicy, options, p, func(doc *config.Document) (config.Warnings, error) {
		return checkPolicy(doc, p, running)
	})
	if err != nil {
		return nil, warnings, err
	}
	return p, warnings, nil
}

// LoadSuspend reads smtpd-suspend.yaml in the same way.
func LoadSuspend(startup *Startup, running *Running, options config.LoadOptions) (*Suspend, config.Warnings, error) {
	s := new(Suspend)
	warnings, err := loadSmall(startup, startup.Environment.SuspendConf, config.SMTPDSuspend, options, s, func(doc *config.Document) (config.Warnings, error) {
		return checkSuspend(doc, s, running)
	})
	if err != nil {
		return nil, warnings, err
	}
	return s, warnings, nil
}

// LoadDelivery reads smtpd-delivery.yaml in the same way.
func LoadDelivery(startup *Startup, running *Running, options config.LoadOptions) (*Delivery, config.Warnings, error) {
	d := new(Delivery)
	warnings, err := loadSmall(startup, startup.Environment.DeliveryConf, config.SMTPDDelivery, options, d, func(doc *config.Document) (config.Warnings, error) {
		return checkDelivery(doc, d, running)
	})
	if err != nil {
		return nil, warnings, err
	}
	return d, warnings, nil
}

// loadSmall reads one of the files that may be absent.
func loadSmall(
	startup *Startup, path string, kind config.Kind, options config.LoadOptions,
	into any, check func(*config.Document) (config.Warnings, error),
) (config.Warnings, error) {
	options.Layout = startup.layout
	doc, warnings, err := config.Open(path, kind, options)
	if errors.Is(err, fs.ErrNotExist) {
		_, newest := kind.Versions()
		doc, warnings, err = config.Parse(path, []byte(`version: "`+newest.String()+`"`), kind, options)
	}
	if err != nil {
		return warnings, err
	}
	if err := doc.Decode(into); err != nil {
		return warnings, err
	}
	more, err := check(doc)
	return append(warnings, more...), err
}
