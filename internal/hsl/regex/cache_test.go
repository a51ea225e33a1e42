package regex

import (
	"fmt"
	"sync"
	"testing"
)

func TestCache(t *testing.T) {
	c := NewCache(3)
	get := func(text string) *Pattern {
		t.Helper()
		re, err := c.Get(text)
		if err != nil {
			t.Fatal(err)
		}
		return re
	}
	kept := get("/kept/i")
	if kept.String() != "kept" || kept.Flags() != Caseless {
		t.Errorf("%v with %v", kept, kept.Flags())
	}
	lost := get("lost")
	for i := range 10 {
		get(fmt.Sprint(i))
		if get("/kept/i") != kept {
			t.Fatalf("a pattern in use is gone after %d others", i+1)
		}
	}
	if get("lost") == lost {
		t.Error("a pattern that nobody used is still there")
	}
	if n := len(c.recent) + len(c.old); n > 6 {
		t.Errorf("%d patterns are held", n)
	}
	if _, err := c.Get("/(/"); err == nil {
		t.Error("a mistake was not found")
	}
}

func TestCacheConcurrent(t *testing.T) {
	c := NewCache(4)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 300 {
				text := fmt.Sprintf("^%d$", (i+g)%8)
				re, err := c.Get(text)
				if err != nil || re.String() != text {
					t.Errorf("%s: %v, %v", text, re, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
