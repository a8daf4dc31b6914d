package buildabi

import (
	"net/http"
	"testing"
)

// TestNoLateCall shows that no handler is called any more once the last ones were waited for.
func TestNoLateCall(t *testing.T) {
	calls := 0
	c := counted{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ })}
	c.ServeHTTP(nil, nil)
	c.wait()
	c.ServeHTTP(nil, nil)
	if calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
}
