package bulk

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// scope is where a signature of AWS, version 4, is good:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
type scope struct{ region, service string }

// parseScope reads "provider1:provider2:region:service" as curl writes it; the
// providers are aws and amz.
func parseScope(text string) (*scope, error) {
	parts := strings.Split(text, ":")
	if len(parts) != 4 || parts[0] != "aws" || parts[1] != "amz" || parts[2] == "" || parts[3] == "" {
		return nil, fmt.Errorf("want aws:amz:REGION:SERVICE, got %q", text)
	}
	return &scope{parts[2], parts[3]}, nil
}

const algorithm = "AWS4-HMAC-SHA256"

// sign adds the fields that prove who makes the request. A field
// X-Amz-Content-Sha256 that is there already stands for the digest of the body.
func (s *scope) sign(r *http.Request, body, key, secret string, now time.Time) {
	stamp := now.UTC().Format("20060102T150405Z")
	day := stamp[:8]
	r.Header.Set("X-Amz-Date", stamp)
	digest := r.Header.Get("X-Amz-Content-Sha256")
	if digest == "" {
		digest = hexDigest(body)
	}
	names, fields := canonicalFields(r)
	request := strings.Join([]string{r.Method, canonicalPath(r.URL), canonicalQuery(r.URL), fields, names, digest}, "\n")
	within := strings.Join([]string{day, s.region, s.service, "aws4_request"}, "/")
	text := strings.Join([]string{algorithm, stamp, within, hexDigest(request)}, "\n")
	signing := "AWS4" + secret
	for _, part := range []string{day, s.region, s.service, "aws4_request", text} {
		signing = mac(signing, part)
	}
	r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		algorithm, key, within, names, hex.EncodeToString([]byte(signing))))
}

func hexDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func mac(key, text string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return string(h.Sum(nil))
}

// canonicalFields returns the names of the signed fields and their lines.
func canonicalFields(r *http.Request) (names, lines string) {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	all := map[string]string{"host": host}
	for name, values := range r.Header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-amz-") || lower == "content-type" {
			all[lower] = strings.Join(strings.Fields(strings.Join(values, ",")), " ")
		}
	}
	var sorted []string
	for name := range all {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		lines += name + ":" + all[name] + "\n"
	}
	return strings.Join(sorted, ";"), lines
}

// canonicalPath escapes each segment once more, as services but S3 want it.
func canonicalPath(u *url.URL) string {
	if u.Path == "" {
		return "/"
	}
	segments := strings.Split(u.EscapedPath(), "/")
	for i, s := range segments {
		segments[i] = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	}
	return strings.Join(segments, "/")
}

func canonicalQuery(u *url.URL) string {
	return strings.ReplaceAll(u.Query().Encode(), "+", "%20") // sorted by name
}
