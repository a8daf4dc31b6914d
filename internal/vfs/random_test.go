//go:build unix

package vfs_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

// The same random calls to Mem and to a real folder have the same results.
func TestMemIsLikeOS(t *testing.T) {
	r := testkit.Rand(t)
	for range 25 {
		dir := t.TempDir()
		mem := &actor{fsys: vfs.NewMem(dir), dir: dir}
		real := &actor{fsys: vfs.NewFaults(vfs.OS{}, nil), dir: dir}
		seed := r.Uint64()
		var log []string
		for range 300 {
			a := mem.step(rand.New(rand.NewPCG(seed, uint64(len(log)))))
			b := real.step(rand.New(rand.NewPCG(seed, uint64(len(log)))))
			log = append(log, a)
			if a != b {
				last := log[max(0, len(log)-20) : len(log)-1]
				t.Fatalf("after\n%s\nMem %s\nOS  %s", strings.Join(last, "\n"), a, b)
			}
		}
		mem.closeAll()
		real.closeAll()
	}
}

// actor makes random calls and describes each with its result.
type actor struct {
	fsys  vfs.FS
	dir   string
	files []vfs.File
}

var names = strings.Fields("a b d e d/a d/b d/e d/e/a d/e/b a/b e/a no/a")

func (a *actor) step(r *rand.Rand) string {
	if len(a.files) > 0 && r.IntN(3) > 0 {
		i := r.IntN(len(a.files))
		return fmt.Sprintf("file %d: ", i) + a.fileCall(r, i)
	}
	return strings.ReplaceAll(a.treeCall(r), a.dir+"/", "")
}

func (a *actor) name(r *rand.Rand) string { return a.dir + "/" + names[r.IntN(len(names))] }

func (a *actor) treeCall(r *rand.Rand) string {
	name := a.name(r)
	switch r.IntN(9) {
	case 0, 1, 2:
		return a.openCall(r, name)
	case 3:
		return "mkdir " + name + class(a.fsys.Mkdir(name, 0o700))
	case 4:
		to := a.name(r)
		if r.IntN(2) == 0 {
			return "rename " + name + " " + to + class(a.fsys.Rename(name, to))
		}
		if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
			return "" // others cannot
		}
		return "rename new " + name + " " + to + class(a.fsys.RenameNew(name, to))
	case 5:
		return "remove " + name + class(a.fsys.Remove(name))
	case 6:
		list, err := a.fsys.ReadDir(name)
		var s strings.Builder
		s.WriteString("readdir " + name)
		for _, e := range list {
			s.WriteString(fmt.Sprint(" ", e.Name(), e.IsDir()))
		}
		return s.String() + class(err)
	case 7:
		fi, err := a.fsys.Lstat(name)
		return "lstat " + name + describe(fi, err)
	}
	return "syncdir " + name + class(a.fsys.SyncDir(name))
}

func (a *actor) openCall(r *rand.Rand, name string) string {
	flag := []int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR}[r.IntN(4)]
	flag |= []int{0, os.O_CREATE, os.O_CREATE, os.O_CREATE | os.O_EXCL}[r.IntN(4)]
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 && r.IntN(4) == 0 {
		flag |= os.O_TRUNC
	}
	f, err := a.fsys.OpenFile(name, flag, 0o600)
	if err == nil {
		a.files = append(a.files, f)
	}
	return fmt.Sprintf("open %s %#x", name, flag) + class(err)
}

func (a *actor) fileCall(r *rand.Rand, i int) string {
	f := a.files[i]
	p := testkit.Bytes(r, r.IntN(1200))
	off := int64(r.IntN(1500) - 3)
	switch r.IntN(9) {
	case 0:
		n, err := f.Write(p)
		return fmt.Sprint("write ", n) + class(err)
	case 1, 2:
		n, err := f.WriteAt(p, off)
		return fmt.Sprint("write ", n, " at ", off) + class(err)
	case 3:
		n, err := f.Read(p)
		return fmt.Sprintf("read %d %x", n, p[:n]) + class(err)
	case 4, 5:
		n, err := f.ReadAt(p, off)
		return fmt.Sprintf("read %d at %d %x", n, off, p[:n]) + class(err)
	case 6:
		return fmt.Sprint("truncate ", off) + class(f.Truncate(off))
	case 7:
		fi, err := f.Stat()
		return "stat" + describe(fi, err)
	}
	return a.rareCall(r, i)
}

func (a *actor) rareCall(r *rand.Rand, i int) string {
	f := a.files[i]
	switch r.IntN(3) {
	case 0:
		return "sync" + class(f.Sync())
	case 1:
		return "chmod" + class(f.Chmod([]fs.FileMode{0o755, 0o700}[r.IntN(2)]))
	}
	if r.IntN(4) > 0 { // sometimes it stays, closed
		a.files = append(a.files[:i:i], a.files[i+1:]...)
	}
	return "close" + class(f.Close())
}

func (a *actor) closeAll() {
	for _, f := range a.files {
		f.Close()
	}
}

func describe(fi fs.FileInfo, err error) string {
	if err != nil {
		return class(err)
	}
	if fi.IsDir() {
		return fmt.Sprint(" ", fi.Name(), fi.Mode())
	}
	return fmt.Sprint(" ", fi.Name(), fi.Mode(), fi.Size(), " links ", vfs.IDOf(fi).Links)
}

// class is the type and the cause of an error.
func class(err error) string {
	if err == nil || err == io.EOF {
		return fmt.Sprint(": ", err)
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return fmt.Sprintf(": %T %v", err, errno)
	}
	return fmt.Sprintf(": %T %v", err, errors.Unwrap(err))
}
