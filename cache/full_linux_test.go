package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
)

// mountTmpfs mounts a small file system, or skips where that is not allowed.
func mountTmpfs(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("needs to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

func runRole(t *testing.T, role string, args ...string) {
	t.Helper()
	cmd := testkit.Command(t, role, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", role, err, out)
	}
	t.Logf("%s", out)
}

// TestDiskFull fills a real file system below the reserve, and then altogether, in a child so that a signal would be seen.
func TestDiskFull(t *testing.T) {
	runRole(t, "filler", mountTmpfs(t, "300m"))
}

// playFiller runs a store into a full disk and back. Args: folder.
func playFiller(args []string) int {
	if err := fillDisk(args[0]); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func fillDisk(dir string) error {
	ctx := context.Background()
	root := filepath.Join(dir, "store")
	s, err := Open(ctx, root, &Options{Reserve: 128 << 20})
	if err != nil {
		return err
	}
	n, err := putUntilFull(s, "big", 256<<10)
	if err != nil {
		return err
	}
	small, err := putUntilFull(s, "small", 900)
	if err != nil {
		return err
	}
	fmt.Printf("%d big and %d small entries until ErrNoSpace\n", n, small)
	if err := checkFull(s, n); err != nil {
		return fmt.Errorf("below the reserve: %w", err)
	}
	if err := ballast(dir); err != nil { // somebody else takes the rest
		return err
	}
	if err := checkFull(s, n); err != nil {
		return fmt.Errorf("with no byte free: %w", err)
	}
	// Deletes free space although nothing can be logged; then puts work again.
	for i := range n / 2 {
		if err := s.Delete(ctx, nameKey(fmt.Sprint("big", i))); err != nil {
			return fmt.Errorf("delete on a full disk: %w", err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
		return err
	}
	if err := putBytes(s, "again", 256<<10); err != nil {
		return fmt.Errorf("put after space returned: %w", err)
	}
	if err := s.Close(ctx); err != nil {
		return err
	}
	return reopenFull(root, n)
}

// reopenFull checks that the deletes held back were logged in the end.
func reopenFull(root string, n int) error {
	ctx := context.Background()
	os.RemoveAll(filepath.Join(root, "index"))
	s, err := Open(ctx, root, &Options{Reserve: 64 << 20})
	if err != nil {
		return err
	}
	defer s.Close(ctx)
	for i := range n {
		a, err := s.Get(ctx, nameKey(fmt.Sprint("big", i)))
		if err == nil {
			a.Release()
		}
		if gone := errors.Is(err, ErrNotFound); gone != (i < n/2) {
			return fmt.Errorf("big%d of %d after reopen: %v", i, n, err)
		}
	}
	return nil
}

// putUntilFull puts until the store refuses.
func putUntilFull(s *Store, name string, size int) (int, error) {
	for i := 0; ; i++ {
		err := putBytes(s, fmt.Sprint(name, i), size)
		if errors.Is(err, ErrNoSpace) {
			return i, nil
		}
		if err != nil {
			return i, err
		}
	}
}

func putBytes(s *Store, name string, size int) error {
	d := s.NewDraft()
	if err := d.Add("out", 0o644, bytes.NewReader(fullText(name, size))); err != nil {
		return err
	}
	return s.Put(context.Background(), nameKey(name), d)
}

func fullText(name string, size int) []byte {
	return []byte(strings.Repeat(name+" ", size/len(name)+1)[:size])
}

// checkFull demands that puts fail with the typed error and gets go on.
func checkFull(s *Store, n int) error {
	if err := putBytes(s, "more", 256<<10); !errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("put: %v", err)
	}
	for i := range n {
		name := fmt.Sprint("big", i)
		a, err := s.Get(context.Background(), nameKey(name))
		if err != nil {
			return err
		}
		b, err := a.Bytes("out")
		_, perr := a.Path("out")
		a.Release()
		if err = errors.Join(err, perr); err != nil || !bytes.Equal(b, fullText(name, 256<<10)) {
			return fmt.Errorf("%s: %d bytes, %w", name, len(b), err)
		}
	}
	return nil
}

// ballast takes what is left of the disk.
func ballast(dir string) error {
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 1<<20)
	for len(b) > 0 {
		if _, err := f.Write(b); err != nil {
			b = b[:len(b)/2]
		}
	}
	return nil
}

// TestReserveEaten states what happens when another process takes the whole reserve between two checks, or there is none: the
// puts that run meanwhile fail with ErrNoSpace.
func TestReserveEaten(t *testing.T) {
	for _, reserve := range []string{"67108864", "-1"} {
		runRole(t, "eaten", mountTmpfs(t, "300m"), reserve)
	}
}

// playEaten takes all space while puts go on. Args: folder, reserve.
func playEaten(args []string) int {
	ctx := context.Background()
	reserve, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	s, err := Open(ctx, filepath.Join(args[0], "store"), &Options{Reserve: reserve})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for i := range 100 {
		if err := putBytes(s, fmt.Sprint("k", i), 2000); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	if err := ballast(args[0]); err != nil {
		fmt.Println(err)
		return 1
	}
	var refused int
	for i := range 5000 {
		name := binary.LittleEndian.AppendUint32(nil, uint32(i))
		if err := putBytes(s, string(name), 2000); errors.Is(err, ErrNoSpace) {
			refused++
		} else if err != nil {
			fmt.Println("unexpected:", err)
			return 1
		}
	}
	fmt.Printf("%d of 5000 puts refused, none died\n", refused)
	if refused < 4900 {
		return 1
	}
	return 0
}

// TestReadOnlyMount opens roots on a file system that is really read-only.
func TestReadOnlyMount(t *testing.T) {
	dir := mountTmpfs(t, "100m")
	root := filepath.Join(dir, "store")
	s, err := Open(t.Context(), root, &Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(putText(s, "k", "v"), s.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("needs to remount: %v", err)
	}
	for _, root := range []string{root, filepath.Join(dir, "new")} {
		_, err := Open(t.Context(), root, nil)
		if !errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), "must be writable") ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("open %s: %v", root, err)
		}
	}
}

// TestOpenWithoutRoom does not keep the lock of a root in which not even the owner's process id fits.
func TestOpenWithoutRoom(t *testing.T) {
	dir := mountTmpfs(t, "4k")
	if err := ballast(dir); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := Open(t.Context(), filepath.Join(dir, "store"), nil); !errors.Is(err, ErrNoSpace) {
			t.Errorf("open: %v", err)
		}
	}
}

// TestOpenOnFullDisk opens a store on a disk below the reserve: gets work, puts are refused, and both work when space
// returns.
func TestOpenOnFullDisk(t *testing.T) {
	runRole(t, "late", mountTmpfs(t, "300m"))
}

// playLate opens a store on a disk that somebody else has filled. Args: folder.
func playLate(args []string) int {
	if err := openLate(args[0]); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func openLate(dir string) error {
	ctx := context.Background()
	root := filepath.Join(dir, "store")
	o := &Options{Reserve: 64 << 20}
	s, err := Open(ctx, root, o)
	if err != nil {
		return err
	}
	for i := range 20 {
		if err := putBytes(s, fmt.Sprint("big", i), 256<<10); err != nil {
			return err
		}
	}
	if err := errors.Join(s.Close(ctx), ballast(dir)); err != nil {
		return err
	}
	if s, err = Open(ctx, root, o); err != nil {
		return err
	}
	if err := checkFull(s, 20); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
		return err
	}
	for i := range 2 * flushAfter { // the index must be written again
		if err := putBytes(s, fmt.Sprint("n", i), 100); err != nil {
			return err
		}
	}
	return s.Close(ctx)
}
