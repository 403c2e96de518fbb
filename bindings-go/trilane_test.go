package trilane

import (
	"context"
	"strings"
	"testing"
)

func TestWithAndCurrent(t *testing.T) {
	ctx := context.Background()
	if s := Current(ctx); s != (Scope{}) {
		t.Errorf("an empty context holds %v", s)
	}
	tagged := With(ctx, "gray")
	if s := Current(tagged); s.Tag != "gray" || s.ID == 0 {
		t.Errorf("got %v", s)
	}
	for _, none := range []string{"", "no tag", "a,b", strings.Repeat("x", 64), "ü", "a\r\nb: c"} {
		if s := Current(With(tagged, none)); s != (Scope{}) {
			t.Errorf("%q gave %v", none, s)
		}
	}
	//lint:ignore SA1012 a nil context is a mistake of the application that must not hurt it
	if s := Current(nil); s != (Scope{}) {
		t.Errorf("a nil context holds %v", s)
	}
}
