package bulk

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSign: the published examples "get-vanilla" and "get-vanilla-query-order-key-case" of
// the test suite of AWS.
func TestSign(t *testing.T) {
	for url, want := range map[string]string{
		"https://example.amazonaws.com/":                             "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		"https://example.amazonaws.com/?Param2=value2&Param1=value1": "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
	} {
		r, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := &scope{"us-east-1", "service"}
		s.sign(r, "", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC))
		got := r.Header.Get("Authorization")
		if !strings.HasPrefix(got, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, ") ||
			!strings.HasSuffix(got, "Signature="+want) {
			t.Errorf("%s\n got %s\nwant %s", url, got, want)
		}
	}
}
