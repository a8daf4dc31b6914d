package vfs_test

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

// Each scenario ends in a power loss. lost, kept and mixed are the states that may follow,
// each file's content by name: mixed must find every one of them and no other. There "?" is
// a byte of garbage.
var losses = []struct {
	name  string
	files string
	run   func(t *testing.T, m *vfs.Mem)
	lost  string // everything unsynced is lost
	kept  string
	mixed []string
}{
	{
		"all synced", "d/a",
		func(t *testing.T, m *vfs.Mem) {
			writeSync(t, m, "d/a", "new")
			must(t, m.SyncDir("d"))
		},
		"new", "new", []string{"new"},
	},
	{
		"created, only the file synced", "d/a",
		func(t *testing.T, m *vfs.Mem) { writeSync(t, m, "d/a", "new") },
		"absent", "new", []string{"absent", "new"},
	},
	{
		"created, only the folder synced", "d/a",
		func(t *testing.T, m *vfs.Mem) {
			write(t, m, "d/a", "n")
			must(t, m.SyncDir("d"))
		},
		"", "n", []string{"", "\x00", "?", "n"},
	},
	{
		"nothing to lose", "d/old",
		func(*testing.T, *vfs.Mem) {},
		"old", "old", []string{"old"},
	},
	{
		"removed", "d/old",
		func(t *testing.T, m *vfs.Mem) { must(t, m.Remove("d/old")) },
		"old", "absent", []string{"absent", "old"},
	},
	{
		"removed and synced", "d/old",
		func(t *testing.T, m *vfs.Mem) { must(t, errors.Join(m.Remove("d/old"), m.SyncDir("d"))) },
		"absent", "absent", []string{"absent"},
	},
	{
		"renamed in one folder", "d/old d/new",
		func(t *testing.T, m *vfs.Mem) { must(t, m.Rename("d/old", "d/new")) },
		"old absent", "absent old", []string{"absent old", "old absent"},
	},
	{
		"renamed over another file", "d/old d/other",
		func(t *testing.T, m *vfs.Mem) { must(t, m.Rename("d/old", "d/other")) },
		"old other", "absent old", []string{"absent old", "old other"},
	},
	{
		"renamed to another folder", "d/old e/new",
		func(t *testing.T, m *vfs.Mem) { must(t, m.Rename("d/old", "e/new")) },
		"old absent", "absent old", []string{"absent absent", "absent old", "old absent", "old old"},
	},
	{
		"renamed, only the new folder synced", "d/old e/new",
		func(t *testing.T, m *vfs.Mem) {
			must(t, errors.Join(m.Rename("d/old", "e/new"), m.SyncDir("e")))
		},
		"old old", "absent old", []string{"absent old", "old old"},
	},
	{
		"renamed, only the old folder synced", "d/old e/new",
		func(t *testing.T, m *vfs.Mem) {
			must(t, errors.Join(m.Rename("d/old", "e/new"), m.SyncDir("d")))
		},
		"absent absent", "absent old", []string{"absent absent", "absent old"},
	},
	{
		"renamed without a sync of the file", "d/tmp e/new",
		func(t *testing.T, m *vfs.Mem) {
			write(t, m, "d/tmp", "n")
			must(t, errors.Join(m.Rename("d/tmp", "e/new"), m.SyncDir("e"), m.SyncDir("d")))
		},
		"absent ", "absent n", []string{"absent ", "absent \x00", "absent ?", "absent n"},
	},
	{
		"created twice", "d/a",
		func(t *testing.T, m *vfs.Mem) {
			writeSync(t, m, "d/a", "1")
			must(t, m.Remove("d/a"))
			writeSync(t, m, "d/a", "2")
		},
		"absent", "2", []string{"1", "2", "absent"},
	},
	{
		"overwritten in place", "d/old",
		func(t *testing.T, m *vfs.Mem) {
			f := open(t, m, "d/old", os.O_RDWR)
			f.WriteAt([]byte("X"), 0)
			f.WriteAt([]byte("Y"), 0)
			must(t, f.Close())
		},
		"old", "Yld", []string{"\x00ld", "Xld", "Yld", "old"},
	},
	{
		"truncated", "d/old",
		func(t *testing.T, m *vfs.Mem) {
			f := open(t, m, "d/old", os.O_RDWR)
			must(t, errors.Join(f.Truncate(1), f.Close()))
		},
		"old", "o", []string{"o", "o\x00", "o\x00\x00", "o\x00d", "ol", "old"},
	},
	{
		"new folder not synced", "d/sub/a",
		func(t *testing.T, m *vfs.Mem) {
			must(t, m.Mkdir("d/sub", 0o755))
			writeSync(t, m, "d/sub/a", "new")
			must(t, m.SyncDir("d/sub"))
		},
		"absent", "new", []string{"absent", "new"},
	},
	{
		"removed folder", "d/sub/a",
		func(t *testing.T, m *vfs.Mem) {
			must(t, m.Mkdir("d/sub", 0o755))
			writeSync(t, m, "d/sub/a", "new")
			must(t, errors.Join(m.SyncDir("d/sub"), m.SyncDir("d")))
			must(t, errors.Join(m.Remove("d/sub/a"), m.Remove("d/sub")))
		},
		"new", "absent", []string{"absent", "new"},
	},
}

// world is a tree with two files, all durable.
func world(t *testing.T) *vfs.Mem {
	m := vfs.NewMem("d", "e")
	writeSync(t, m, "d/old", "old")
	writeSync(t, m, "d/other", "other")
	must(t, m.SyncDir("d"))
	return m
}

func TestCrash(t *testing.T) {
	for _, tc := range losses {
		t.Run(tc.name, func(t *testing.T) {
			m := world(t)
			tc.run(t, m)
			state := func(m *vfs.Mem) string {
				var s []string
				for name := range strings.FieldsSeq(tc.files) {
					s = append(s, read(t, m, name))
				}
				return strings.Join(s, " ")
			}
			check := func(how string, m *vfs.Mem, want string) {
				if got := state(m); got != want {
					t.Errorf("%s: %q, want %q", how, got, want)
				}
			}
			kept := vfs.Loss{Bytes: vfs.Kept, Entries: vfs.Kept}
			check("now", m, tc.kept)
			check("killed", m.Kill(), tc.kept)
			check("killed, then everything lost", m.Kill().Crash(vfs.Loss{}), tc.lost)
			check("killed, then everything kept", m.Kill().Crash(kept), tc.kept)
			check("everything kept", m.Crash(kept), tc.kept)
			check("everything kept, then lost", m.Crash(kept).Crash(vfs.Loss{}), tc.kept)
			check("everything lost", m.Crash(vfs.Loss{}), tc.lost)
			found := states(t, m, state, tc.mixed)
			if !slices.Equal(found, tc.mixed) {
				t.Errorf("mixed: %q, want %q", found, tc.mixed)
			}
			check("after all", m, tc.kept)
		})
	}
}

// states collects what random crashes leave, by the names it has in want.
func states(t *testing.T, m *vfs.Mem, state func(*vfs.Mem) string, want []string) []string {
	r, found := testkit.Rand(t), map[string]bool{}
	for range 600 {
		s := state(m.Crash(vfs.Torn(r.Uint64())))
		for _, w := range want {
			if s != w && garbled(s, w) && !slices.Contains(want, s) {
				s = w
			}
		}
		found[s] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// garbled reports whether s has some byte for each "?" of the pattern.
func garbled(s, pattern string) bool {
	if len(s) != len(pattern) {
		return false
	}
	for i := range len(s) {
		if pattern[i] != '?' && s[i] != pattern[i] {
			return false
		}
	}
	return true
}

func TestCrashSeedRepeats(t *testing.T) {
	m := world(t)
	r := testkit.Rand(t)
	for _, name := range []string{"d/a", "d/b", "e/c"} {
		write(t, m, name, string(testkit.Bytes(r, 5000)))
	}
	must(t, m.Rename("d/a", "e/a"))
	seed := r.Uint64()
	want := m.Crash(vfs.Torn(seed)).String()
	for range 20 {
		if got := m.Crash(vfs.Torn(seed)).String(); got != want {
			t.Fatalf("one seed gave\n%s\nand\n%s", want, got)
		}
	}
	for how, disk := range m.Crashes(r, 5) {
		if s, ok := strings.CutPrefix(how, "power loss, seed "); ok {
			if again := m.Crash(vfs.Torn(parse(t, s))); again.String() != disk.String() {
				t.Errorf("%s: the second time\n%s\nthe first\n%s", how, again, disk)
			}
		}
	}
}

// A clone and its source have nothing in common that a change of either could spoil.
func TestClonesAreIndependent(t *testing.T) {
	kept := vfs.Loss{Bytes: vfs.Kept, Entries: vfs.Kept}
	for how, clone := range map[string]func(*vfs.Mem) *vfs.Mem{
		"kill":     (*vfs.Mem).Kill,
		"all kept": func(m *vfs.Mem) *vfs.Mem { return m.Crash(kept) },
		"all lost": func(m *vfs.Mem) *vfs.Mem { return m.Crash(vfs.Loss{}) },
		"torn":     func(m *vfs.Mem) *vfs.Mem { return m.Crash(vfs.Torn(1)) },
	} {
		for _, sync := range []string{"unsynced", "synced", "failed"} {
			for _, order := range []string{"append", "append, overwrite", "overwrite, append"} {
				m := startedFile(t, sync)
				disks := []*vfs.Mem{m, clone(m), clone(m)}
				var want []string
				for i, disk := range disks {
					p := []byte(read(t, disk, "a") + letter(i))
					if order != "append" {
						p[i] = letter(i)[0]
					}
					want = append(want, string(p))
				}
				for i, disk := range disks {
					extend(t, disk, i, order)
				}
				for i, disk := range disks {
					now, all := read(t, disk, "a"), read(t, disk.Crash(kept), "a")
					// A failed sync has lost what lies between our own two changes.
					same := all[i] == want[i][i] && all[len(all)-1] == want[i][len(now)-1]
					if now != want[i] || !same {
						t.Errorf("%s, %s, %s: tree %d has %q, after a crash %q, want %q",
							how, sync, order, i, now, all, want[i])
					}
				}
			}
		}
	}
}

func letter(i int) string { return string(rune('A' + i)) }

// startedFile returns a tree with one file whose last bytes are as sync says.
func startedFile(t *testing.T, sync string) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem()
	writeSync(t, m, "a", "start")
	must(t, m.SyncDir("/"))
	appendTo(t, m, "middle")
	faults := vfs.NewFaults(m, nil)
	f := open(t, faults, "a", os.O_RDWR)
	if sync == "failed" {
		faults.SetHook(vfs.FailAt(1, syscall.EIO))
	}
	if sync != "unsynced" {
		f.Sync()
	}
	must(t, f.Close())
	for _, s := range []string{"e", "n", "d"} { // in the room that is left behind "middle"
		appendTo(t, m, s)
	}
	return m
}

// extend makes the changes of one tree in the given order.
func extend(t *testing.T, m *vfs.Mem, i int, order string) {
	t.Helper()
	for do := range strings.SplitSeq(order, ", ") {
		if do == "append" {
			appendTo(t, m, letter(i))
			continue
		}
		f := open(t, m, "a", os.O_RDWR)
		_, err := f.WriteAt([]byte(letter(i)), int64(i))
		must(t, errors.Join(err, f.Close()))
	}
}

func appendTo(t *testing.T, m *vfs.Mem, s string) {
	t.Helper()
	f := open(t, m, "a", os.O_RDWR)
	_, err := f.WriteAt([]byte(s), int64(size(t, m, "a")))
	must(t, errors.Join(err, f.Close()))
}
