package envelope

import "testing"

func TestParameters(t *testing.T) {
	for in, want := range map[string]Body{"7bit": Body7Bit, "8BitMime": Body8BitMIME, "BINARYMIME": BodyBinaryMIME} {
		if got, err := ParseBody(in); err != nil || got != want {
			t.Errorf("ParseBody(%q) = %v, %v", in, got, err)
		}
	}
	for in, want := range map[string]Ret{"full": RetFull, "HDRS": RetHeaders} {
		if got, err := ParseRet(in); err != nil || got != want {
			t.Errorf("ParseRet(%q) = %v, %v", in, got, err)
		}
	}
	if RetUnset.String() != "" {
		t.Error("RetUnset prints as", RetUnset)
	}
	for _, in := range []string{"", "x"} {
		if _, err := ParseBody(in); err == nil {
			t.Errorf("BODY=%q was accepted", in)
		}
		if _, err := ParseRet(in); err == nil {
			t.Errorf("RET=%q was accepted", in)
		}
	}
}

func TestNotify(t *testing.T) {
	for in, want := range map[string]string{
		"never":                 "NEVER",
		"delay,Failure":         "FAILURE,DELAY",
		"SUCCESS,FAILURE,DELAY": "SUCCESS,FAILURE,DELAY",
		"success,success":       "SUCCESS",
	} {
		v, err := ParseNotify(in)
		if err != nil || v.String() != want {
			t.Errorf("ParseNotify(%q) = %v, %v", in, v, err)
		}
		if again, err := ParseNotify(v.String()); err != nil || again != v {
			t.Errorf("ParseNotify(%q) = %v, %v", v, again, err)
		}
	}
	for _, in := range []string{"", "NEVER,FAILURE", "SUCCESS,", " SUCCESS", "SUCCESS;DELAY"} {
		if v, err := ParseNotify(in); err == nil {
			t.Errorf("ParseNotify(%q) = %v", in, v)
		}
	}
	if Notify(0).String() != "" {
		t.Error("zero prints as", Notify(0))
	}
}
