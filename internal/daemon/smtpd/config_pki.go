package smtpd

import (
	"time"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// RunningPKI holds certificates, where further ones come from, and trust
// anchors (spec tls.md 3).
type RunningPKI struct {
	Private []KeyPair     `yaml:"private"`
	Public  []TrustAnchor `yaml:"public"`
	Default DefaultCert   `yaml:"default"`
	ACME    ACME          `yaml:"acme"`
	Legacy  LegacyCerts   `yaml:"legacy"`
	Hooks   CertHooks     `yaml:"hooks"`
	Exports []CertExport  `yaml:"exports"`
}

// TrustAnchor is a certificate that is trusted by name.
type TrustAnchor struct {
	ID          string        `yaml:"id"`
	Certificate config.Source `yaml:"certificate"`
}

// DefaultCert is the server-default certificate.
type DefaultCert struct {
	Hostname    string        `yaml:"hostname"` // empty: the system's
	ACME        []string      `yaml:"acme"`
	Certificate config.Source `yaml:"certificate"`
	PrivateKey  config.Source `yaml:"privatekey"`
}

// ACME is the certificate manager.
type ACME struct {
	AgreeTOS    bool                  `yaml:"agreetos"`
	Email       string                `yaml:"email"`
	Directory   string                `yaml:"directory"`
	Roots       string                `yaml:"roots"`
	Fallback    []ACMEAuthority       `yaml:"fallback"`
	EAB         ExternalAccount       `yaml:"eab"`
	Profile     string                `yaml:"profile"`
	Challenges  []string              `yaml:"challenges"`
	DNS         ACMEDNS               `yaml:"dns"`
	KeyType     string                `yaml:"keytype"`
	ReuseKey    config.Optional[bool] `yaml:"reusekey"`
	RenewBefore time.Duration         `yaml:"renewbefore"`
	ARI         bool                  `yaml:"ari"`
	Retry       ACMERetry             `yaml:"retry"`
	Concurrency int                   `yaml:"concurrency"`
	URLDomains  bool                  `yaml:"urldomains"`
	Names       []string              `yaml:"names"`
	Storage     ACMEStorage           `yaml:"storage"`
	SelfCheck   SelfCheck             `yaml:"selfcheck"`
	OnDemand    OnDemand              `yaml:"ondemand"`
}

// ACMEAuthority is a further certificate authority.
type ACMEAuthority struct {
	Directory string          `yaml:"directory"`
	Roots     string          `yaml:"roots"`
	EAB       ExternalAccount `yaml:"eab"`
}

// ExternalAccount binds the ACME account to one that the authority knows.
type ExternalAccount struct {
	KID     string `yaml:"kid"`
	HMACKey string `yaml:"hmackey"`
}

// ACMEDNS says how records for challenges are published.
type ACMEDNS struct {
	Update  config.Optional[DNSUpdate] `yaml:"update"`
	Program string                     `yaml:"program"`
	Wait    time.Duration              `yaml:"wait"`
}

// DNSUpdate is RFC 2136 with TSIG.
type DNSUpdate struct {
	Server    Upstream `yaml:"server"`
	Zone      string   `yaml:"zone"`
	KeyName   string   `yaml:"keyname"`
	Algorithm string   `yaml:"algorithm"`
	Secret    string   `yaml:"secret"`
}

// ACMERetry is the ladder of waits after failures.
type ACMERetry struct {
	Intervals []time.Duration `yaml:"intervals"`
}

// ACMEStorage says where certificates are kept.
type ACMEStorage struct {
	File string `yaml:"file"`
}

// SelfCheck looks whether we reach ourselves before an authority is asked.
type SelfCheck struct {
	Mode         SelfCheckMode             `yaml:"mode"`
	Resolver     config.Optional[Upstream] `yaml:"resolver"`
	Connect      string                    `yaml:"connect"` // address and port; empty: those of the name
	Timeout      time.Duration             `yaml:"timeout"`
	AllowPrivate bool                      `yaml:"allowprivate"`
}

// SelfCheckMode is "require", "warn" or "off".
type SelfCheckMode string

// DecodeNode reads a mode, or true and false for the first and the last.
func (m *SelfCheckMode) DecodeNode(n *config.Node) error {
	switch {
	case n.Kind == config.String:
		*m = SelfCheckMode(n.Text)
	case n.Value() == true:
		*m = "require"
	default:
		*m = "off"
	}
	return nil
}

// OnDemand is accepted and not obeyed yet.
type OnDemand struct {
	Enabled bool   `yaml:"enabled"`
	Ask     string `yaml:"ask"`
}

// LegacyCerts are the files of older installations.
type LegacyCerts struct {
	SMTP config.Source `yaml:"smtp"`
	HTTP struct {
		Certificate config.Source `yaml:"certificate"`
		PrivateKey  config.Source `yaml:"privatekey"`
	} `yaml:"http"`
	FTP config.Source `yaml:"ftp"`
}

// CertHooks are programs that are told of certificates.
type CertHooks struct {
	Deploy  []CertHook `yaml:"deploy"`
	Failure []CertHook `yaml:"failure"`
	Expiry  []CertHook `yaml:"expiry"`
}

// CertHook is one of them, or a folder of them.
type CertHook struct {
	Path     string        `yaml:"path"`
	Timeout  time.Duration `yaml:"timeout"`
	Coalesce time.Duration `yaml:"coalesce"`
}

// CertExport copies certificates for another program.
type CertExport struct {
	ID         string      `yaml:"id"`
	Type       string      `yaml:"type"`
	Path       string      `yaml:"path"`
	Format     string      `yaml:"format"`
	RuntimeAPI string      `yaml:"runtimeapi"`
	Owner      string      `yaml:"owner"`
	Group      string      `yaml:"group"`
	Mode       config.Mode `yaml:"mode"`
}
