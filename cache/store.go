package cache

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/cache/internal/place"
	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// Store is an open artifact store. All its methods are safe for concurrent use.
type Store struct {
	// Lock order: compactMu, rebuilding, commitMu, gate, a shard's mu or payloads.mu; pin.place comes
	// before commitMu, syncMu and then blobsMu behind it, untoldMu after all.

	dir     string
	version int // of the root's layout
	opt     Options
	fs      vfs.FS
	lock    *rootLock
	flog    *framelog.Log
	placer  place.Placer
	space   spaceGuard
	tmpSeq  atomic.Uint64
	tmpMade [maxTmpFolders]atomic.Bool

	segmentBytes int64
	flushAfter   int // changes; see the constant

	gate      sync.RWMutex // guards idx
	idx       index.Index  // nil: parked
	openIndex func() (index.Index, error)

	shards [shardCount]shard
	pay    payloads

	committer committer

	// commitMu lets through one commit, flush, recovery or rebuild step at a time. It guards what
	// follows, up to compactMu.
	commitMu    sync.Mutex
	batch       framelog.Batch
	frameBuf    []byte
	groupKeys   map[Key]struct{} // that the frames in batch put or delete
	heldDeletes []Key            // done, but kept out of the log by a full disk
	owesDeletes atomic.Bool      // heldDeletes is not empty

	opsBuf         opsBuf
	pendingOps     int // changes that the index does not have
	flushRetry     int // pendingOps from which on recovery tries to write the index again
	lastCheckpoint checkpoint
	durable        framelog.Pos     // the index has every frame before it, even after a power loss; see moveDelete
	mergeDue       atomic.Bool      // the index was written
	live           map[uint64]int64 // bytes in each segment that compaction would have to move
	moved          map[uint64]int64 // bytes of the deletes in each segment that compaction has moved there, in this life
	gone           []uint64         // segments that left live; the index may list them
	lastHashed     uint32           // the latest time at which a payload was verified, in Unix seconds

	recovering  bool                    // the frames that are applied come from the log
	replayed    framelog.Pos            // while the log is replayed: the frame that is applied
	rebuild     *rebuild                // that is running
	lastRebuild atomic.Pointer[rebuild] // running or done
	indexDamage atomic.Pointer[error]   // why the index must be rebuilt

	compactMu     sync.Mutex
	stuck         map[uint64]stuck // guarded by compactMu
	rebuilding    chan struct{}    // a lock with a wait that ends with a context: has room for who reads the log back
	syncMu        sync.Mutex
	unsyncedFiles unsyncedFiles
	inherited     atomic.Bool // payload files of an earlier life may not be durable: see syncInherited
	blobsMu       sync.Mutex  // guards blobsSynced and the making of folders
	blobsSynced   bool        // in this life

	untoldMu sync.Mutex
	untold   []Corruption // reported under a lock, for OnCorrupt

	touchMu sync.Mutex
	touches map[Key]uint32

	flightMu sync.Mutex
	flights  map[Key]*flight

	distrustBefore atomic.Uint32 // Unix seconds
	upkeep         atomic.Bool   // Run is running
	lastVerb       atomic.Int64  // counts verbs, for parking
	unsyncedSince  atomic.Int64  // Unix ns of the first commit that is not durable yet; 0: none
	kick           chan struct{} // wakes Run
	groupBegun     chan struct{} // wakes its syncGroups

	life  life
	stats counters
	trace atomic.Pointer[tracer]
}

// wakeRun lets Run look again at once.
func (s *Store) wakeRun() { ring(s.kick) }

// ring lets who waits at c look again, now or when it comes.
func ring(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (s *Store) log() *slog.Logger { return s.opt.Logger }

func (s *Store) now() time.Time { return s.opt.Now() }

// life counts what is running, so that Close can end it.
type life struct {
	active  atomic.Int64 // verbs
	closing atomic.Bool
	ctx     context.Context // ends with closing
	cancel  context.CancelCauseFunc
	torn    atomic.Bool   // the final tear-down has begun
	done    chan struct{} // closed when it is over
	err     error
}

// begin holds the store open for one verb.
func (s *Store) begin(ctx context.Context) error {
	s.life.active.Add(1)
	if s.life.closing.Load() {
		s.end()
		return fmt.Errorf("cache: %w", ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		s.end()
		return fmt.Errorf("cache: %w", context.Cause(ctx))
	}
	return nil
}

// enter is begin for those who hold a lease: a closing store still serves them.
func (s *Store) enter() { s.life.active.Add(1) }

func (s *Store) end() {
	s.lastVerb.Add(1)
	if s.life.active.Add(-1) == 0 {
		s.tearDown()
	}
}

// endUnless is end for a verb that has not come to its end: it has failed, or the host ends the
// goroutine when it is told of damage.
func (s *Store) endUnless(done *bool) {
	if !*done {
		s.end()
	}
}

// wrap names the operation, unless a verb below has wrapped err already.
func (s *Store) wrap(operation string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), "cache: ") {
		return err
	}
	return fmt.Errorf("cache: %s: %w", operation, mapError(err))
}
