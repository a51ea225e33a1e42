package config

import (
	"fmt"
	"strings"
)

// Reference returns the configuration reference in Markdown: every setting of
// every kind of file, as the schemas describe it.
func Reference() (string, error) {
	var b strings.Builder
	b.WriteString(referenceIntro)
	for _, kind := range Kinds() {
		if err := writeKind(&b, kind); err != nil {
			return "", err
		}
	}
	if err := writeWithoutEffect(&b); err != nil {
		return "", err
	}
	return b.String(), nil
}

const referenceIntro = "# Configuration reference\n\n" +
	"Generated from the schemas by `go generate ./internal/config/...`. `posthaste config schema KIND` prints a schema for editors.\n\n" +
	"Files are YAML 1.2, one document each, in UTF-8. An unknown key is a mistake. `[]` stands for each item of a list, `*` for a name of your choice.\n\n" +
	"| type | how it is written |\n|---|---|\n" +
	"| duration | seconds, or days, hours, minutes and seconds in that order: `90`, `\"15m\"`, `\"1h30m\"` |\n" +
	"| size | bytes, or a number and a unit: `1048576`, `\"60MiB\"` (B, KiB, MiB, GiB, TiB) |\n" +
	"| rate | count per seconds: `\"120/60\"`; a bare count is per second |\n" +
	"| mode | octal digits in quotes: `\"0660\"` |\n" +
	"| path | a file or folder; a relative one is taken from the folder of the file that names it |\n" +
	"| network | an address, or a network such as `192.0.2.0/24` |\n" +
	"| endpoint | an address with or without a port: `192.0.2.1`, `[2001:db8::1]:53` |\n\n" +
	"Any scalar may be `!Env \"${NAME}\"` or `!Env \"${NAME:DEFAULT}\"` when the program runs with `--config-env-substitution`. " +
	"Defaults are those of our own layout; on a host set up for Halon, paths lead to its folders.\n\n" +
	"Status: *works*; *accepted*, when nothing obeys the setting yet and a file that sets it is loaded with a warning; *ignored*, when it has no meaning here. " +
	"Settings marked ⁺ are extensions of ours.\n"

func writeKind(b *strings.Builder, kind Kind) error {
	root, err := SchemaOf(kind)
	if err != nil {
		return err
	}
	settings, err := Settings(kind)
	if err != nil {
		return err
	}
	oldest, newest := kind.Versions()
	fmt.Fprintf(b, "\n## %s.yaml\n\n%s Versions %s to %s.\n\n", kind, root.Description, oldest, newest.display())
	b.WriteString("| setting | type | default | meaning | status |\n|---|---|---|---|---|\n")
	for _, s := range settings {
		fmt.Fprintf(b, "| `%s`%s | %s | %s | %s | %s |\n",
			s.Path, s.Schema.mark(), s.Schema.typeName(), s.Schema.defaultText(), s.Schema.meaning(), s.Status)
	}
	return nil
}

// display writes the minor version of a project of which only the major one is
// established as "x".
func (v Version) display() string {
	if v.Minor == anyMinor {
		return fmt.Sprintf("%d.x", v.Major)
	}
	return v.String()
}

func (s *Schema) mark() string {
	if s.Own {
		return "⁺"
	}
	return ""
}

// typeName describes what may be written.
func (s *Schema) typeName() string {
	switch {
	case s.Scalar != "":
		return s.Scalar
	case len(s.Enum) > 0:
		return codeList(s.Enum)
	}
	var names []string
	for _, t := range s.Type {
		switch {
		case t == "array" && s.Items != nil:
			names = append(names, "list of "+s.Items.typeName())
		case t == "object" && s.AdditionalProperties != nil && !s.AdditionalProperties.never:
			names = append(names, "map to "+s.AdditionalProperties.typeName())
		case t == "object":
			names = append(names, "mapping")
		default:
			names = append(names, t)
		}
	}
	return strings.Join(names, " or ")
}

func codeList(values []any) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprintf("`%v`", v)
		if v == "" {
			words[i] = "`\"\"`"
		}
	}
	return strings.Join(words, ", ")
}

func (s *Schema) defaultText() string {
	switch {
	case s.Default != nil:
		return "`" + string(s.Default) + "`"
	case s.Absent != "":
		return s.Absent
	}
	return ""
}

func (s *Schema) meaning() string {
	text := s.Description
	if s.MovedTo != "" {
		text += fmt.Sprintf(" Older spelling of `%s`.", s.MovedTo)
	}
	return strings.ReplaceAll(text, "|", `\|`)
}

// writeWithoutEffect lists what is accepted and not obeyed, in one place.
func writeWithoutEffect(b *strings.Builder) error {
	b.WriteString("\n## Settings without effect yet\n")
	for _, kind := range Kinds() {
		settings, err := Settings(kind)
		if err != nil {
			return err
		}
		var paths []string
		for _, s := range settings {
			if s.Status == statusAccepted {
				paths = append(paths, "`"+s.Path+"`")
			}
		}
		if len(paths) > 0 {
			fmt.Fprintf(b, "\n%s.yaml: %s.\n", kind, strings.Join(paths, ", "))
		}
	}
	return nil
}
