package goprog

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Table is a recorded build: every output by its action, in memory, with the bodies in a folder.
type Table struct {
	dir     string
	entries map[ID]Entry
}

// tableName is the file in the folder that says which action has which output.
const tableName = "table.txt"

// LoadTable reads the table in dir; a missing one is empty.
func LoadTable(dir string) (*Table, error) {
	t := &Table{dir: dir, entries: make(map[ID]Entry)}
	f, err := os.Open(filepath.Join(dir, tableName))
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, fmt.Errorf("goprog: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if err := t.parse(lines.Text()); err != nil {
			return nil, err
		}
	}
	return t, lines.Err()
}

func (t *Table) parse(line string) error {
	var size int64
	var action, output string
	if _, err := fmt.Sscan(line, &action, &output, &size); err != nil {
		return fmt.Errorf("goprog: table line %q: %w", line, err)
	}
	a, errA := hex.DecodeString(action)
	o, errO := hex.DecodeString(output)
	if err := errors.Join(errA, errO); err != nil || len(a) != len(ID{}) || len(o) != len(ID{}) {
		return fmt.Errorf("goprog: table line %q is malformed", line)
	}
	t.entries[ID(a)] = Entry{Output: ID(o), Size: size, Path: t.path(ID(o))}
	return nil
}

// Save writes the table beside its bodies.
func (t *Table) Save() error {
	var b strings.Builder
	for action, e := range t.entries {
		fmt.Fprintf(&b, "%x %x %d\n", action, e.Output, e.Size)
	}
	return os.WriteFile(filepath.Join(t.dir, tableName), []byte(b.String()), 0o666)
}

// Len is the number of actions.
func (t *Table) Len() int { return len(t.entries) }

// All calls f for each action until it fails.
func (t *Table) All(f func(action ID, e Entry) error) error {
	for action, e := range t.entries {
		if err := f(action, e); err != nil {
			return err
		}
	}
	return nil
}

// Get answers from memory.
func (t *Table) Get(action ID) (Entry, bool) {
	e, ok := t.entries[action]
	return e, ok
}

// Put writes the body and keeps the entry in memory; Save makes it last.
func (t *Table) Put(action, output ID, body []byte) (string, error) {
	path := t.path(output)
	if err := os.WriteFile(path, body, 0o666); err != nil {
		return "", fmt.Errorf("goprog: %w", err)
	}
	t.entries[action] = Entry{Output: output, Size: int64(len(body)), Path: path}
	return path, nil
}

func (t *Table) path(output ID) string {
	return filepath.Join(t.dir, hex.EncodeToString(output[:]))
}
