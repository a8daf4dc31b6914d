package main

import (
	"bytes"
	"compress/gzip"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/buildabi/seenpcs"
)

// dumper prints the content of files.
type dumper struct {
	versions []buildabi.Version // to be tried, lowest first
	out      *json.Encoder
	warnings io.Writer
}

func newDumper(versions []buildabi.Version, stdout, stderr io.Writer) *dumper {
	d := &dumper{versions, json.NewEncoder(stdout), stderr}
	d.out.SetEscapeHTML(false)
	return d
}

// line is one line of output.
type line struct {
	File    string      `json:"file"`
	Line    int         `json:"line,omitempty"` // of the recording
	Time    json.Number `json:"t_ms,omitempty"`
	Dir     string      `json:"dir,omitempty"`
	Version string      `json:"abi,omitempty"`
	Message string      `json:"message"`
	Fields  any         `json:"fields"`
}

// file prints one file.
func (d *dumper) file(name string, stdin io.Reader) error {
	b, err := readAll(name, stdin)
	if err != nil {
		return err
	}
	if coverage, err := seenpcs.Parse(b); err == nil {
		if err := sameBytes(coverage, b); err != nil {
			return fmt.Errorf("coverage file: %w", err)
		}
		return d.out.Encode(line{File: name, Message: "seen_pcs_file", Fields: fileFields(coverage)})
	}
	records, err := parseRecording(b)
	if err != nil {
		return err
	}
	return d.recording(name, d.version(records), records)
}

// readAll returns the bytes of a file, of standard input for -; gzip is undone.
func readAll(name string, stdin io.Reader) (b []byte, err error) {
	if name == "-" {
		b, err = io.ReadAll(stdin)
	} else {
		b, err = os.ReadFile(name)
	}
	if err != nil || !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		return b, err
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// version returns the lowest version under which all messages can be decoded; if there is none,
// the one that gets farthest.
func (d *dumper) version(records []record) buildabi.Version {
	best, most := d.versions[0], -1
	for _, v := range d.versions {
		n := 0
		for n < len(records) {
			if _, err := records[n].parse(v); err != nil {
				break
			}
			n++
		}
		if n > most {
			best, most = v, n
		}
	}
	return best
}

func (d *dumper) recording(name string, v buildabi.Version, records []record) error {
	if len(records) == 0 {
		return errors.New("neither a recording nor a coverage file: nothing in it")
	}
	reader := buildabi.NewReader(v)
	for i := range records {
		r := &records[i]
		m, err := r.parse(v)
		if err != nil {
			return fmt.Errorf("line %d: %w", r.line, err)
		}
		kind, fields := describe(m)
		if err := sameBytes(m, r.bytes); err != nil {
			return fmt.Errorf("line %d: %s: %w", r.line, kind, err)
		}
		d.warn(name, r, reader)
		err = d.out.Encode(line{name, r.line, r.Time, r.Dir, v.String(), kind, fields})
		if err != nil {
			return err
		}
	}
	return nil
}

// warn prints what a real client would stumble over in a message that can be decoded.
func (d *dumper) warn(name string, r *record, reader *buildabi.Reader) {
	if r.Dir != toClient {
		return
	}
	_, findings, _ := reader.Next(r.bytes)
	for _, f := range findings {
		fmt.Fprintf(d.warnings, "abidump: %s: line %d: warning: %v\n", name, r.line, f)
	}
}

// sameBytes encodes what was decoded from b again.
func sameBytes(m encoding.BinaryAppender, b []byte) error {
	again, err := m.AppendBinary(nil)
	if err != nil {
		return err
	}
	if bytes.Equal(again, b) {
		return nil
	}
	at := 0
	for at < min(len(again), len(b)) && again[at] == b[at] {
		at++
	}
	return fmt.Errorf("encodes to other bytes from byte %d on (%d bytes, recorded %d)",
		at, len(again), len(b))
}
