// Package schema holds the JSON Schemas of the configuration files, written by
// hand, and the account of which of their settings are obeyed.
//
// There is a file per kind, draft-07, and common.json with the definitions that
// they share. Package config checks files against them, editors get them from
// `posthaste config schema`, and the reference page is generated from them.
//
// status.yaml says of each setting whether it works, is accepted without effect
// yet, or is ignored because it has no meaning here. Whoever builds a part that
// obeys a setting turns its line to "works".
package schema

import "embed"

// Common is the file of shared definitions.
const Common = "common.json"

// Status is the file with the account.
const Status = "status.yaml"

// Files holds the schemas, by kind with ".json" added, Common and Status.
//
//go:embed *.json status.yaml
var Files embed.FS
