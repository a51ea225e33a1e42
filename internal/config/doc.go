// Package config reads configuration files: YAML, checked against a schema,
// into Go structs that it knows nothing of.
//
// A file goes through four steps. The parser turns YAML into nodes that know
// their line and column, follows aliases within limits and substitutes
// environment variables. The checker walks the nodes beside the JSON Schema of
// the file's kind and notes every mistake, with the nearest known key where one
// was mistyped. Older spellings then move to their present place. Last, the
// decoder fills a struct: what the file leaves out gets the schema's default,
// unless the field is Optional.
//
// The schemas, in the folder schema, are written by hand and are the only
// description of the format. The reference page is generated from them, editors
// use them, and tests compare them with the structs of the programs. The
// checker obeys the keywords that they use, which lets it speak of our scalar
// types and keeps the start of a program short; tests compare its judgement
// with that of a complete implementation of JSON Schema.
//
// Loading is safe for concurrent use. Nothing happens before the first file is
// loaded.
package config

//go:generate go test -run TestReference -update .
