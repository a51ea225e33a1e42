package lint

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
)

// Text writes findings for people: place, severity, message and rule, then the
// line with a caret.
func Text(w io.Writer, findings []Finding) error {
	for _, f := range findings {
		place, detail, _ := strings.Cut(f.Detail(), ": "+f.Message)
		if _, err := fmt.Fprintf(w, "%s: %s: %s [%s]%s\n", place, f.Rule.Severity, f.Message, f.Rule.ID, detail); err != nil {
			return err
		}
	}
	return nil
}

// place is a syntax.Position in JSON.
type place struct {
	File   string `json:"file" yaml:"file"`
	Line   int    `json:"line" yaml:"line"`
	Column int    `json:"column" yaml:"column"`
}

// record is a Finding in JSON.
type record struct {
	place
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"`
	Message  string   `json:"message"`
	// Path is the include statements that led to the file, innermost first.
	Path []place `json:"path"`
}

func placesOf(list []syntax.Position) []place {
	places := make([]place, len(list))
	for i, p := range list {
		places[i] = place(p)
	}
	return places
}

// JSON writes findings as an array of objects.
func JSON(w io.Writer, findings []Finding) error {
	records := make([]record, len(findings))
	for i, f := range findings {
		records[i] = record{place(f.Position), f.Rule.Severity, f.Rule.ID, f.Message, placesOf(f.Within)}
	}
	return encode(w, records)
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// The parts of SARIF 2.1.0 that findings need.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		// Columns are counted in bytes; SARIF has no name for that, and for the
		// ASCII that scripts mostly are it is the same.
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID                   string       `json:"id"`
		ShortDescription     sarifMessage `json:"shortDescription"`
		DefaultConfiguration struct {
			Level Severity `json:"level"`
		} `json:"defaultConfiguration"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		Level     Severity        `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		PhysicalLocation struct {
			ArtifactLocation struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region sarifRegion `json:"region"`
		} `json:"physicalLocation"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
)

// SARIF writes findings in the Static Analysis Results Interchange Format 2.1.0.
// Version is that of the program.
func SARIF(w io.Writer, findings []Finding, version string) error {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: make([]sarifResult, len(findings))}
	run.Tool.Driver = sarifDriver{Name: "posthaste hsh lint", Version: version}
	for _, r := range Rules {
		rule := sarifRule{ID: r.ID, ShortDescription: sarifMessage{r.Doc}}
		rule.DefaultConfiguration.Level = r.Severity
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule)
	}
	for i, f := range findings {
		var at sarifLocation
		at.PhysicalLocation.ArtifactLocation.URI = f.File
		at.PhysicalLocation.Region = sarifRegion{max(1, f.Line), max(1, f.Column)}
		run.Results[i] = sarifResult{f.Rule.ID, f.Rule.Severity, sarifMessage{f.Message}, []sarifLocation{at}}
	}
	return encode(w, sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run},
	})
}
