package smtpd

import (
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/policy"
)

func TestBackoffIsOffUnlessAsked(t *testing.T) {
	t.Parallel()
	r := composeSmall(t, "", "policies: [ { fields: [ jobid ] } ]", "", "").running
	o, err := r.Policy.Backoff.options()
	if o != nil || err != nil {
		t.Errorf("options %+v, %v without a word about back-off", o, err)
	}
	rules, err := r.Policy.Backoff.count(nil)
	if len(rules) != 0 || err != nil {
		t.Errorf("it counts %v, %v", rules, err)
	}
}

func TestBackoffSettings(t *testing.T) {
	t.Parallel()
	r := composeSmall(t, "", `backoff:
  enabled: true
  fields: [ localip, grouping, tenantid ]
  hold: 120
  settle: 7
  steps: [ { concurrency: 3, rate: "9/60" }, { connectinterval: 30 } ]
  rules: [ "ours suspend=1h code=4xx : go away" ]
  standard: false
policies: [ { fields: [ tenantid, localip, grouping ], default: { concurrency: 4 } } ]`, "", "").running
	o, err := r.Policy.Backoff.options()
	if err != nil {
		t.Fatal(err)
	}
	if o.Fields != policy.Of(policy.TenantID, policy.LocalIP, policy.Grouping) || o.Hold != 2*time.Minute || o.Settle != 7*time.Second ||
		len(o.Rules) != 1 || o.Rules[0].Name != "ours" || len(o.Steps) != 2 ||
		o.Steps[0].String() != "concurrency 3 rate 9/60" || o.Steps[1].String() != "connectinterval 30" {
		t.Errorf("options %+v", o)
	}
	counted, err := r.Policy.Backoff.count([]policy.Policy{{Fields: o.Fields}})
	if err != nil || len(counted) != 2 || counted[1].Fields != policy.Of(policy.TenantID, policy.LocalIP, policy.RecipientDomain) {
		t.Errorf("counted are %+v, %v; want one more, by domain", counted, err)
	}
}

func TestBackoffDefaults(t *testing.T) {
	t.Parallel()
	r := composeSmall(t, "", "backoff: { enabled: true }", "", "").running
	o, err := r.Policy.Backoff.options()
	if err != nil {
		t.Fatal(err)
	}
	if o.Fields != policy.Of(policy.LocalIP, policy.Grouping) || o.Hold != 10*time.Minute || o.Settle != 30*time.Second || len(o.Steps) != 4 || len(o.Rules) < 20 {
		t.Errorf("options %+v", o)
	}
}

func TestBackoffMistakes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`backoff: { enabled: true, rules: [ "ours hurry : b" ] }`: "want an action of",
		"backoff: { enabled: true, hold: 0 }":                     "want a hold from",
		"backoff: { enabled: true, steps: [ {} ] }":               "steps[0]",
	} {
		doc, _, err := config.Parse("smtpd-policy.yaml", []byte("version: \"6.9\"\n"+text+"\n"), config.SMTPDPolicy, config.LoadOptions{})
		p := new(Policy)
		if err == nil {
			err = doc.Decode(p)
		}
		if err == nil {
			_, err = checkPolicy(doc, p, new(Running))
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
