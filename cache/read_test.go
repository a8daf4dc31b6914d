package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/vfs"
)

// TestRecordOfAnotherFrame has the index tell of a frame that is another artifact's, as one of another log does.
func TestRecordOfAnotherFrame(t *testing.T) {
	for name, text := range map[string]string{"inline": "small", "table": "multi", "file": strings.Repeat("big ", 900)} {
		t.Run(name, func(t *testing.T) {
			s, _ := openMem(t, nil)
			if err := errors.Join(putText(s, "a", text+" a"), putText(s, "b", text+" b")); err != nil {
				t.Fatal(err)
			}
			a, b := nameKey("a"), nameKey("b")
			var of, other record
			hadA, errA := s.current(&a, &of)
			hadB, errB := s.current(&b, &other)
			if !hadA || !hadB || errA != nil || errB != nil {
				t.Fatal(hadA, errA, hadB, errB)
			}
			of.pos, of.frameLen = other.pos, other.frameLen
			s.shard(&a).fresh[a] = &of
			want := text + " a"
			if got, err := getText(s, "a"); err != nil || got != "" && got != want {
				t.Errorf("%.20q, %v", got, err)
			}
			if got, err := getText(s, "b"); err != nil || got != text+" b" {
				t.Errorf("the other: %.20q, %v", got, err)
			}
		})
	}
}

// TestSoundFileIsSpared has a reader find wrong bytes in a file that a put has replaced meanwhile.
func TestSoundFileIsSpared(t *testing.T) {
	s, _ := openMem(t, nil)
	text := strings.Repeat("text ", 1000)
	if err := putText(s, "k", text); err != nil {
		t.Fatal(err)
	}
	it, err := hold(t, s, "k").useFile("out")
	if err != nil {
		t.Fatal(err)
	}
	defer s.end()
	s.removeDamaged(it)
	if got, err := getText(s, "k"); got != text || err != nil {
		t.Errorf("%.20q, %v", got, err)
	}
	writeBlob(t, s, text, text[1:])
	s.removeDamaged(it)
	if _, err := s.fs.Lstat(s.blobPath(&it.digest)); !isNotExist(err) {
		t.Errorf("the damaged file: %v", err)
	}
}

// sameFile is a file of another type that looks like one in all else.
type sameFile struct{ fs.FileInfo }

func (sameFile) Mode() fs.FileMode { return fs.ModeSymlink | 0o777 }

// TestFactHolds takes a file for the one that was written only when all that is compared is the same.
func TestFactHolds(t *testing.T) {
	mem := vfs.NewMem("/d")
	var infos []fs.FileInfo
	for i := range 2 {
		name := filepath.Join("/d", fmt.Sprint(i))
		f, err := mem.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o444)
		if err != nil {
			t.Fatal(err)
		}
		fi, err := f.Stat()
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		infos = append(infos, fi)
	}
	var f fact
	f.identify(infos[0])
	longer, older := f, f
	longer.size++
	older.mtime--
	other := f
	other.identify(infos[1])
	other.mtime = f.mtime
	cases := map[string]bool{
		"itself": f.holds(infos[0]), "size": !longer.holds(infos[0]), "time": !older.holds(infos[0]),
		"inode": !other.holds(infos[0]), "type": !f.holds(sameFile{infos[0]}),
	}
	for name, right := range cases {
		if !right {
			t.Error(name)
		}
	}
}
