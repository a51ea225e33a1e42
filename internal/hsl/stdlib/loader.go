package stdlib

import (
	"maps"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/certificate"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/cipher"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/container"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/data"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/pattern"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// loaders returns what imports data files.
func loaders() map[string]value.DataLoader {
	all := map[string]value.DataLoader{"crt": loadCertificates, "key": loadKey, "set": loadSet, "map": loadMap}
	maps.Copy(all, data.Loaders(map[string]data.Tag{
		"!Map": tagMap, "!Set": tagSet, "!Regex": tagRegex, "!PrivateKey": tagKey, "!X509": tagCertificate,
	}))
	return all
}

func loadCertificates(_ string, text []byte, options *value.Array) (value.Data, error) {
	certificates, err := certificate.Parse(string(text))
	if err != nil {
		return value.Data{}, err
	}
	list := value.NewArray(len(certificates))
	resource, _ := options.GetString("resource")
	for _, c := range certificates {
		if resource.Truth() {
			list.Push(value.FromResource(&certificate.Resource{Certificate: c}))
		} else {
			list.Push(certificate.New(c))
		}
	}
	return value.Data{Value: value.FromArray(list)}, nil
}

func loadKey(_ string, text []byte, _ *value.Array) (value.Data, error) {
	v, err := tagKey(value.Bytes(text))
	return value.Data{Value: v}, err
}

func loadSet(_ string, text []byte, _ *value.Array) (value.Data, error) {
	return value.Data{Value: container.NewSet(value.Strings(data.Lines(string(text))))}, nil
}

// loadMap makes a map of the rows of a CSV file by their first column.
func loadMap(_ string, text []byte, options *value.Array) (value.Data, error) {
	rows, err := data.LoadCSV(nil, string(text), options)
	if err != nil {
		return value.Data{}, err
	}
	entries := value.NewArray(0)
	for row := range rows.Values() {
		first, _ := row.Array().At(0)
		entries.Set(value.String(first.Text()), row)
	}
	return value.Data{Value: container.NewMap(entries)}, nil
}

func tagMap(v value.Value) (value.Value, error) {
	if !v.IsArray() {
		return v, value.Errorf("!Map: want a mapping, got %s", v.Kind())
	}
	return container.NewMap(v.Array()), nil
}

// tagSet takes a sequence, or a mapping, whose keys are the set as in YAML's own
// notation.
func tagSet(v value.Value) (value.Value, error) {
	a := v.Array()
	if a == nil {
		return v, value.Errorf("!Set: want a sequence or a mapping, got %s", v.Kind())
	}
	if !a.IsList() {
		keys := value.NewArray(a.Len())
		for k := range a.All() {
			keys.Append(k)
		}
		a = keys
	}
	return container.NewSet(a), nil
}

func tagRegex(v value.Value) (value.Value, error) {
	re, err := pattern.Compile(value.SplitPattern(v.Text()))
	if err != nil {
		return v, value.Errorf("!Regex: %v", err)
	}
	return value.FromResource(re), nil
}

func tagKey(v value.Value) (value.Value, error) {
	k := cipher.ParseKey(v.Text())
	if k == nil {
		return v, value.Errorf("no private key in PEM")
	}
	return value.FromResource(k), nil
}

func tagCertificate(v value.Value) (value.Value, error) {
	certificates, err := certificate.Parse(v.Text())
	if err != nil || len(certificates) == 0 {
		return v, value.Errorf("!X509: no certificate in PEM")
	}
	return certificate.New(certificates[0]), nil
}
