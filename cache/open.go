package cache

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/cespare/xxhash/v2"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// formatVersion is that of the layout of new roots. A root of a newer one is refused; one of
// version 1 stays what it is.
const formatVersion = 2

// Open opens the store whose root is dir, making it when it is missing, and becomes its one owner.
// It reads no more than the tail of the log that an unclean end left out of the index, whatever the
// number of entries. The end of ctx ends the wait for another owner and the reading, and does
// nothing to an open store.
//
// Errors: [*LockedError] when another owner has the root; [ErrVersion] when a newer version of this
// package wrote it; [ErrReadOnly] on a file system that cannot be written (a store needs one that
// can); [fs.ErrPermission], and an error that says so when dir is not a folder.
func Open(ctx context.Context, dir string, o *Options) (*Store, error) {
	opt, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, errors.New("cache: open: no folder for the root was given")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("cache: open %s: %w", dir, err)
	}
	s, err := open(ctx, abs, opt, seams{fs: vfs.OS{}})
	if err == nil || errors.Is(err, ctx.Err()) && ctx.Err() != nil {
		return s, err
	}
	if _, locked := errors.AsType[*LockedError](err); locked {
		return nil, err
	}
	return nil, fmt.Errorf("cache: open %s: %w", dir, explain(err))
}

// explain says what to do about the causes that a user can mend.
func explain(err error) error {
	err = mapError(err)
	switch {
	case errors.Is(err, ErrReadOnly):
		return fmt.Errorf("the root must be writable, for gets too: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the root must belong to this user or be writable for it: %w", err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf(
			"the root must be a folder: move the file away or name another root: %w", err)
	}
	return err
}

// seams are where tests put something else.
type seams struct {
	fs           vfs.FS
	openIndex    func() (index.Index, error) // nil: that below the root
	segmentBytes int64                       // 0: the log's default
	flushAfter   int                         // 0: flushAfter
}

// open does the work of Open.
func open(ctx context.Context, dir string, opt Options, se seams) (*Store, error) {
	s := newStore(dir, opt, se)
	if err := s.makeRoot(); err != nil {
		return nil, err
	}
	if _, real := se.fs.(vfs.OS); real {
		lock, err := acquireLock(ctx, dir, opt.LockWait)
		if err != nil {
			return nil, err
		}
		s.lock = lock
	}
	if s.openIndex == nil {
		s.openIndex = s.openLSM
	}
	err := s.load(ctx)
	s.tell()
	if err != nil {
		return nil, errors.Join(err, s.discard())
	}
	return s, nil
}

func newStore(dir string, opt Options, se seams) *Store {
	s := &Store{
		dir: dir, opt: opt, fs: se.fs, openIndex: se.openIndex, segmentBytes: se.segmentBytes,
		flushAfter: cmp.Or(se.flushAfter, flushAfter),
		groupKeys:  map[Key]struct{}{}, live: map[uint64]int64{}, moved: map[uint64]int64{},
		touches: map[Key]uint32{}, flights: map[Key]*flight{}, stuck: map[uint64]stuck{},
		life: life{done: make(chan struct{})},
		kick: make(chan struct{}, 1), groupBegun: make(chan struct{}, 1), rebuilding: make(chan struct{}, 1),
		space: spaceGuard{fs: se.fs, dir: dir, reserve: opt.Reserve},
	}
	s.life.ctx, s.life.cancel = context.WithCancelCause(context.Background())
	s.unsyncedFiles.files = map[Digest]struct{}{}
	s.pay = payloads{
		fresh: map[Digest]*payload{}, flushing: map[Digest]*payload{}, pins: map[Digest]*pin{},
	}
	for i := range s.shards {
		s.shards[i] = shard{fresh: map[Key]*record{}, flushing: map[Key]*record{},
			leases: map[Key]*lease{}, detached: map[*lease]struct{}{}}
	}
	return s
}

// discard closes what a failed open has opened.
func (s *Store) discard() error {
	var errs []error
	if s.idx != nil {
		errs = append(errs, s.idx.Close())
	}
	if s.flog != nil {
		errs = append(errs, s.flog.Close())
	}
	return errors.Join(append(errs, s.lock.release())...)
}

// folders of a root. The index makes its own.
var folders = [...]string{"log", "blobs", "tmp", "quarantine"}

func (s *Store) makeRoot() error {
	if err := mkdirAll(s.fs, s.dir); err != nil {
		return err
	}
	fi, err := s.fs.Lstat(filepath.Join(s.dir, "FORMAT"))
	if err == nil && fi.Mode().IsRegular() {
		return nil
	}
	if err != nil && !isNotExist(err) {
		return err
	}
	entries, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch name := e.Name(); name {
		case "LOCK", "log", "blobs", "tmp", "index", "quarantine", formatTmp:
		case "sessions": // a front end may have kept its own files when an earlier open failed
		default:
			return fmt.Errorf("the folder is not empty and is not a store (it holds %q): name another root", name)
		}
	}
	return nil
}

func mkdirAll(fsys vfs.FS, dir string) error {
	err := fsys.Mkdir(dir, 0o777)
	if isNotExist(err) && filepath.Dir(dir) != dir {
		if err := mkdirAll(fsys, filepath.Dir(dir)); err != nil {
			return err
		}
		err = fsys.Mkdir(dir, 0o777)
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if fi, err := fsys.Lstat(dir); err == nil && !fi.IsDir() && fi.Mode()&fs.ModeSymlink == 0 {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	}
	return nil
}

// load reads the root, which this process owns now.
func (s *Store) load(ctx context.Context) error {
	id, err := s.readFormat()
	if err != nil {
		return err
	}
	if err := s.makeFolders(false); err != nil {
		return err
	}
	if err := s.emptyTmp(); err != nil {
		return err
	}
	return s.recover(ctx, id)
}

// makeFolders makes what is missing, durably: a log in a folder that a power loss takes away is no
// log. With all that is so even for folders that an earlier open made and did not live to sync.
func (s *Store) makeFolders(all bool) error {
	for _, name := range folders {
		made, err := vfs.MakeDir(s.fs, filepath.Join(s.dir, name))
		if err != nil {
			return err
		}
		all = all || made
	}
	if !all {
		return nil
	}
	return s.syncUp()
}

// syncUp makes the names in the root durable, its own, and those of the folders above, which
// makeRoot may have made. A folder above that cannot be synced was made by somebody else.
func (s *Store) syncUp() error {
	for dir := s.dir; ; dir = filepath.Dir(dir) {
		err := s.fs.SyncDir(dir)
		if err != nil && (dir == s.dir || !refusesSync(err)) {
			return err
		}
		if err != nil || filepath.Dir(dir) == dir {
			return nil
		}
	}
}

func refusesSync(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) ||
		errors.Is(err, syscall.EINVAL) || vfs.IsReadOnly(err)
}

const (
	formatName = "FORMAT"
	formatTmp  = "FORMAT.tmp"
)

// formatLine is what FORMAT holds: the version, the log's id, and a checksum of both.
func formatLine(version int, id [16]byte) string {
	text := fmt.Sprintf("larder %d %x", version, id)
	return fmt.Sprintf("%s %016x\n", text, xxhash.Sum64String(text))
}

// readFormat reads the version of the root and the log's id; a new root gets both.
func (s *Store) readFormat() (id [16]byte, err error) {
	text, err := readSmall(s.fs, filepath.Join(s.dir, formatName))
	if isNotExist(err) {
		return s.writeFormat(true)
	}
	if err != nil {
		return id, err
	}
	version, id, ok := parseFormat(text)
	if !ok {
		return s.writeFormat(false)
	}
	if version > formatVersion {
		return id, fmt.Errorf(
			"the root has format %d, this version knows up to %d; nothing was changed: %w",
			version, formatVersion, ErrVersion)
	}
	s.version = version
	return id, nil
}

// parseFormat reads what formatLine wrote. A damaged line is not a newer version, so the version
// counts only in a line that is whole, and what follows a newer version does not count.
func parseFormat(text string) (version int, id [16]byte, ok bool) {
	line := strings.TrimSuffix(text, "\n")
	space := strings.LastIndexByte(line, ' ')
	if space < 0 || fmt.Sprintf("%016x", xxhash.Sum64String(line[:space])) != line[space+1:] {
		return 0, id, false
	}
	words := strings.Split(line[:space], " ")
	if len(words) < 2 || words[0] != "larder" {
		return 0, id, false
	}
	version, err := strconv.Atoi(words[1])
	if err != nil || version > formatVersion {
		return version, id, err == nil
	}
	sum, err := hex.DecodeString(words[len(words)-1])
	if err != nil || len(sum) != len(id) {
		return 0, id, false
	}
	id = [16]byte(sum)
	return version, id, text == formatLine(version, id) && version > 0
}

// writeFormat makes the line of a new root, or again one that was damaged: the log names its own
// id, and the folders of payload files the version. Where the line stands the folders are durable.
func (s *Store) writeFormat(fresh bool) (id [16]byte, err error) {
	id, found, err := framelog.Identify(s.fs, filepath.Join(s.dir, "log"))
	if errors.Is(err, framelog.ErrVersion) {
		return id, fmt.Errorf("%w: %w", ErrVersion, err)
	}
	if err != nil && !isNotExist(err) {
		return id, err
	}
	if !found {
		rand.Read(id[:])
	}
	if s.version, err = s.versionOfBlobs(); err != nil {
		return id, err
	}
	if !fresh {
		s.report(Corruption{Path: formatName, Reason: "the format line was damaged", Time: s.now()})
	}
	if err := s.makeFolders(true); err != nil {
		return id, err
	}
	tmp := filepath.Join(s.dir, formatTmp)
	f, err := s.fs.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o666)
	if err != nil {
		return id, err
	}
	_, err = io.WriteString(f, formatLine(s.version, id))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return id, err
	}
	if err := s.fs.Rename(tmp, filepath.Join(s.dir, formatName)); err != nil {
		return id, err
	}
	return id, s.fs.SyncDir(s.dir)
}

func readSmall(fsys vfs.FS, name string) (string, error) {
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	return string(b), err
}

// emptyTmp collects what writes in progress left behind.
func (s *Store) emptyTmp() error {
	dir := filepath.Join(s.dir, "tmp")
	entries, err := s.fs.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, removeAll(s.fs, filepath.Join(dir, e.Name())))
	}
	return err
}

// openLSM opens the index below the root.
func (s *Store) openLSM() (index.Index, error) {
	x, err := index.Open(s.fs, filepath.Join(s.dir, "index"), s.opt.Logger)
	if err != nil {
		return nil, err
	}
	return x, nil
}
