package cache

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/larderbuild/larder/internal/vfs"
)

// spaceGuard tells, cheaply, whether the volume is above the reserve. Asking the system costs
// a microsecond or two, so an answer serves for a moment or until much has been written since.
type spaceGuard struct {
	fs      vfs.FS
	dir     string
	reserve int64

	mu      sync.Mutex
	asked   time.Time
	left    int64 // above the reserve, by the last answer less what was written since
	written int64
}

const (
	spaceAskEvery = 10 * time.Millisecond
	spaceAskBytes = 4 << 20
)

// low reports whether n more bytes would go below the reserve, and counts them as written.
func (g *spaceGuard) low(n int64) bool {
	if g.reserve < 0 {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.written += min(n, math.MaxInt64-g.written)
	if g.written > spaceAskBytes || g.left < g.written || time.Since(g.asked) > spaceAskEvery {
		free, err := g.fs.Free(g.dir)
		if err != nil {
			return false // unknown: a write will tell
		}
		g.asked, g.left, g.written = time.Now(), free-g.reserve, n
	}
	return g.left < g.written
}

// refusal is the error of what would go below the reserve.
func (g *spaceGuard) refusal() error {
	return fmt.Errorf("%w: %d bytes of its volume stay free (Options.Reserve)", ErrNoSpace, g.reserve)
}

// full notes that a write found no space, so that the next question is asked of the system.
func (g *spaceGuard) full() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left = 0
}
