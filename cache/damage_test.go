package cache

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
)

// batteryEntries is how many entries the damaged stores hold: inline, files and several outputs.
const batteryEntries = 1500

func batteryText(i int) string { return killText(i, i) }

// playBuilder makes the store that is damaged afterwards. It has several tables in its index. Args: root, "closed" or
// "killed".
func playBuilder(args []string) int {
	ctx := context.Background()
	for part := range 3 {
		s, err := open(ctx, args[0], batteryOptions(), osSeams(64<<10))
		if err != nil {
			fmt.Println(err)
			return 1
		}
		for i := part; i < batteryEntries; i += 3 {
			if err := putText(s, fmt.Sprint("k", i), batteryText(i)); err != nil {
				fmt.Println(err)
				return 1
			}
		}
		if part == 2 && args[1] == "killed" {
			s.Sync(ctx)
			fmt.Println("ready")
			select {}
		}
		if err := s.Close(ctx); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	fmt.Println("ready")
	return 0
}

func batteryOptions() Options {
	o, _ := (&Options{VerifyAfter: -1, Reserve: -1}).withDefaults()
	return o
}

// entryPlace is where the bytes of an entry stand, so that the test knows which entries a damage hits.
type entryPlace struct {
	seg      string
	from, to int64
	files    []string
}

// places reads where each entry of a sound store stands.
func places(t *testing.T, root string) []entryPlace {
	ctx := t.Context()
	s, err := open(ctx, root, batteryOptions(), osSeams(64<<10))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(ctx)
	list := make([]entryPlace, batteryEntries)
	for i := range list {
		key := nameKey(fmt.Sprint("k", i))
		var r record
		if had, err := s.current(&key, &r); !had || err != nil {
			t.Fatal(i, had, err)
		}
		list[i] = entryPlace{seg: fmt.Sprintf("log/%016x.log", r.pos.Segment), from: int64(r.pos.Offset),
			to: int64(r.pos.Offset) + frameCost(&r)}
		for _, d := range s.filesOf(&key, &r) {
			list[i].files = append(list[i].files, relBlob(&d))
		}
	}
	return list
}

func relBlob(d *Digest) string { return "blobs/" + d.String()[:2] + "/" + d.String() }

// damage is one thing done to one file.
type damage struct {
	File     string
	Kind     string
	Off, Len int64
	Other    string // for swap
}

func (d damage) String() string {
	return fmt.Sprintf("%s %s at %d+%d %s", d.Kind, d.File, d.Off, d.Len, d.Other)
}

// hits reports whether the damage may touch an entry's own bytes.
func (d damage) hits(p *entryPlace) bool {
	for _, f := range p.files {
		if f == d.File || f == d.Other {
			return true
		}
	}
	if p.seg == d.Other {
		return true
	}
	if p.seg != d.File {
		return false
	}
	switch d.Kind {
	case "delete", "swap":
		return true
	case "truncate":
		return p.to > d.Off
	}
	return p.from < d.Off+d.Len && d.Off < p.to
}

func (d damage) apply(root string, rng *rand.Rand) error {
	path := filepath.Join(root, d.File)
	switch d.Kind {
	case "delete":
		return os.RemoveAll(path)
	case "truncate":
		return os.Truncate(path, d.Off)
	case "swap":
		other := filepath.Join(root, d.Other)
		return firstOf(os.Rename(path, path+"~"), os.Rename(other, path), os.Rename(path+"~", other))
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, d.Len)
	if d.Kind != "extend" {
		if _, err := f.ReadAt(b, d.Off); err != nil && err != io.EOF {
			return err
		}
	}
	switch d.Kind {
	case "bit":
		b[0] ^= 1 << rng.IntN(8)
	case "byte":
		b[0] = ^b[0]
	case "zero":
		clear(b)
	default:
		copy(b, testkit.Bytes(rng, len(b)))
	}
	_, err = f.WriteAt(b, d.Off)
	return err
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// damages lists what is done to the files below root. Of the payload files, which are alike, a few stand for all.
func damages(t *testing.T, root string) (list []damage) {
	var files []string
	blobs := 0
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if rel = filepath.ToSlash(rel); strings.HasPrefix(rel, "blobs/") {
			if blobs++; blobs > 4 {
				return nil
			}
		}
		files = append(files, rel)
		return nil
	})
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	sort.Strings(files)
	for i, f := range files {
		fi, err := os.Lstat(filepath.Join(root, f))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fileDamages(f, fi.Size())...)
		if next := files[(i+1)%len(files)]; filepath.Dir(next) == filepath.Dir(f) {
			list = append(list, damage{File: f, Kind: "swap", Other: next})
		}
	}
	return append(list, damage{File: "index", Kind: "delete"}, damage{File: "log", Kind: "delete"})
}

// fileDamages visits the header fields, the middle and the tail of a file.
func fileDamages(f string, size int64) (list []damage) {
	list = append(list, damage{File: f, Kind: "delete"}, damage{File: f, Kind: "extend", Off: size, Len: 1},
		damage{File: f, Kind: "extend", Off: size, Len: 5000})
	if size == 0 {
		return list
	}
	offs := []int64{0, 4, 8, 12, 16, 20, 24, 28, 32, 48, 64, 68, 72, 80, 84, 88, size / 3, size / 2,
		size - 64, size - 40, size - 32, size - 24, size - 16, size - 12, size - 8, size - 4, size - 1}
	for _, off := range offs {
		if off < 0 || off >= size {
			continue
		}
		list = append(list, damage{File: f, Kind: "bit", Off: off, Len: 1}, damage{File: f, Kind: "byte", Off: off, Len: 1})
	}
	for _, off := range []int64{0, size / 2, max(0, size-512)} {
		list = append(list, damage{File: f, Kind: "zero", Off: off, Len: min(512, size-off)},
			damage{File: f, Kind: "random", Off: off, Len: min(4096, size-off)}, damage{File: f, Kind: "truncate", Off: off})
	}
	return list
}

// playSurvivor opens damaged stores, one for each line on standard input, and answers each with a line of JSON.
func playSurvivor([]string) int {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		b, _ := json.Marshal(survive(in.Text()))
		fmt.Printf("%s\n", b)
	}
	return 0
}

// survival is what became of a damaged store.
type survival struct {
	Err   string
	Wrong []string // entries with bytes that were never put
	Lost  []int
}

func survive(root string) (r survival) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fail := func(what string, err error) survival {
		r.Err = what + ": " + err.Error()
		return r
	}
	s, err := open(ctx, root, batteryOptions(), osSeams(64<<10))
	if err != nil {
		return fail("open", err)
	}
	r.look(s)
	for part := range 3 { // closing writes out a table each time, so that compaction runs over the damage
		if err := putMany(s, part); err != nil {
			return fail("put", err)
		}
		if err := s.Close(ctx); err != nil && part == 0 {
			r.Err = "" // a damaged index may complain once
		} else if err != nil {
			return fail("close", err)
		}
		if s, err = open(ctx, root, batteryOptions(), osSeams(64<<10)); err != nil {
			return fail("reopen", err)
		}
	}
	defer s.Close(ctx)
	r.Lost = nil
	r.look(s)
	for i := range survivorPuts {
		if got, err := getText(s, fmt.Sprint("n", i)); err != nil || got != fmt.Sprint("new ", i) {
			return fail("entry put after the damage", fmt.Errorf("%q, %v", got, err))
		}
	}
	return r
}

func putMany(s *Store, part int) error {
	for i := part; i < survivorPuts; i += 3 {
		if err := putText(s, fmt.Sprint("n", i), fmt.Sprint("new ", i)); err != nil {
			return err
		}
	}
	return nil
}

func (r *survival) look(s *Store) {
	for i := range batteryEntries {
		got, err := getText(s, fmt.Sprint("k", i))
		switch {
		case err != nil:
			r.Wrong = append(r.Wrong, fmt.Sprint(i, ": ", err))
		case got == "":
			r.Lost = append(r.Lost, i)
		case got != batteryText(i):
			r.Wrong = append(r.Wrong, fmt.Sprintf("%d: %.40q", i, got))
		}
	}
}

// TestDamage damages a closed and a killed store in every way and demands of each: no wrong bytes, no death of the process, a
// usable store, and at least 99 % of the entries that were not hit.
func TestDamage(t *testing.T) {
	rng := testkit.Rand(t)
	for _, state := range []string{"closed", "killed"} {
		t.Run(state, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "store")
			c := testkit.Start(t, "builder", root, state)
			if line, err := c.Out.ReadString('\n'); line != "ready\n" {
				t.Fatal(line, err, c.Stderr())
			}
			c.Kill()
			copyRoot := filepath.Join(t.TempDir(), "places")
			copyTree(t, root, copyRoot)
			where := places(t, copyRoot)
			all := damages(t, root)
			rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			n := min(len(all), batteryCases)
			t.Logf("%d of %d damages", n, len(all))
			batter(t, rng, root, where, all[:n])
		})
	}
}

func batter(t *testing.T, rng *rand.Rand, root string, where []entryPlace, list []damage) {
	child := testkit.Start(t, "survivor")
	for _, d := range list {
		dir := filepath.Join(t.TempDir(), "s")
		copyTree(t, root, dir)
		if err := d.apply(dir, rng); err != nil {
			t.Fatal(d, err)
		}
		fmt.Fprintln(child.In, dir)
		line, err := child.Out.ReadBytes('\n')
		var r survival
		if err != nil || json.Unmarshal(line, &r) != nil {
			child.Kill()
			t.Errorf("%v: the process died: %v\n%.3000s", d, err, child.Stderr())
			child = testkit.Start(t, "survivor")
			continue
		}
		checkSurvival(t, d, where, r)
		os.RemoveAll(dir)
	}
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}

func checkSurvival(t *testing.T, d damage, where []entryPlace, r survival) {
	if r.Err != "" || len(r.Wrong) > 0 {
		t.Errorf("%v: %s, %d wrong: %.5q", d, r.Err, len(r.Wrong), r.Wrong)
	}
	intact, lost := 0, 0
	for i := range where {
		if !d.hits(&where[i]) && d.File != "log" {
			intact++
		}
	}
	for _, i := range r.Lost {
		if !d.hits(&where[i]) && d.File != "log" {
			lost++
		}
	}
	if lost*100 > intact {
		t.Errorf("%v: %d of %d intact entries are lost", d, lost, intact)
	}
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
