package extra

import (
	"errors"
	"sync/atomic"

	"github.com/posthaste-mta/posthaste/internal/plugin"
)

// dlpPlugin is the plug-in dlp: where dlpd listens.
type dlpPlugin struct {
	plugin.Base
	where atomic.Pointer[dlpSettings]
}

type dlpSettings struct {
	Path    string `key:"path"`
	Port    uint16 `key:"port"`
	Address string `key:"address"`
}

func newDLP(s plugin.Settings, path string) (*dlpPlugin, error) {
	if len(s) > 0 {
		return nil, errors.New("takes its settings from the running configuration only")
	}
	p := &dlpPlugin{}
	p.where.Store(&dlpSettings{Path: path})
	return p, nil
}

// Prepare implements plugin.Plugin.
func (p *dlpPlugin) Prepare(s plugin.Settings) (func(), error) {
	next := &dlpSettings{Path: p.where.Load().Path}
	if len(s) > 0 {
		given := &dlpSettings{}
		if err := s.Decode(given); err != nil {
			return nil, err
		}
		switch {
		case given.Path != "" && given.Port != 0:
			return nil, errors.New("want path, or port and address, not both")
		case given.Port != 0 && given.Address == "":
			given.Address = "localhost"
		case given.Path == "" && given.Port == 0:
			given.Path = next.Path
		}
		next = given
	}
	return func() { p.where.Store(next) }, nil
}

// peer is where dlpd listens now.
func (p *dlpPlugin) peer() peer {
	w := p.where.Load()
	return peer{path: w.Path, address: w.Address, port: int(w.Port)}
}
