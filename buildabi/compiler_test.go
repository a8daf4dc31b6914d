package buildabi

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestNextCompilation shows that nobody joins a call that has ended, although one of those who waited
// for it has not noticed yet.
func TestNextCompilation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := compiler{hook: func(context.Context, bool) ([]byte, error) {
			calls++
			time.Sleep(time.Second)
			return nil, nil
		}}
		go c.get(t.Context(), false)
		synctest.Wait()
		c.mu.Lock()
		c.running[0].waiting++
		c.mu.Unlock()
		time.Sleep(time.Minute)
		if _, err := c.get(t.Context(), false); err != nil || calls != 2 {
			t.Errorf("%d calls, %v", calls, err)
		}
	})
}
