package buildabi

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"time"
)

// maxEntryName is what the client's buffer for names takes.
const maxEntryName = 1024

// sources answers with the files of the current source index, which is the one that the clients
// are being shown.
func (h *handler) sources(w http.ResponseWriter, r *http.Request) {
	index := h.board.sourceIndex()
	if index == nil || h.Sources == nil {
		notFound(w)
		return
	}
	found(w, "sources.tar")
	if r.Method == http.MethodHead {
		return
	}
	out := tar.NewWriter(stream(w))
	for i := range index.Files {
		if r.Context().Err() != nil {
			return
		}
		directory, basename := index.Path(uint32(i))
		if err := h.entry(out, directory, basename); err != nil {
			h.Log.Warn("source not served", "directory", directory, "name", basename, "error", err)
		}
	}
	// Padded, but not closed: as Zig's server, without the blocks at the end.
	if err := out.Flush(); err != nil {
		h.Log.Warn("sources not served", "error", err)
	}
	allowTime(http.NewResponseController(w)) // for the end of the response, which the server writes
}

// sourceIndex returns that of the current fuzz session, nil if there is none.
func (b *Board) sourceIndex() *SourceIndex {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.fuzz == nil || b.state.fuzz.index == nil {
		return nil
	}
	return b.state.fuzz.index.SourceIndex
}

// entry writes one file. The client finds it by the two names with a slash in between, so that is
// its name, however it looks. What follows the header has the size that the header says, even if
// the file has another one by now or cannot be read to its end.
func (h *handler) entry(out *tar.Writer, directory, basename string) error {
	name := directory + "/" + basename
	if basename == "" || len(name) > maxEntryName {
		return fmt.Errorf("no name for a client: %w", fs.ErrInvalid)
	}
	f, err := h.Sources(directory, basename)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("not a file: %w", fs.ErrInvalid)
	}
	if err != nil {
		return err
	}
	if err := out.WriteHeader(tarHeader(name, info)); err != nil {
		return err
	}
	n, err := io.CopyN(out, f, info.Size())
	if errors.Is(err, io.EOF) {
		err = nil // shorter than it was
	}
	_, padding := io.CopyN(out, zeros{}, info.Size()-n)
	return errors.Join(err, padding)
}

func tarHeader(name string, info fs.FileInfo) *tar.Header {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: 0o664,
		ModTime: time.Unix(max(info.ModTime().Unix(), 0), 0), Format: tar.FormatUSTAR}
	if len(name) > 100 || !isASCII(name) {
		header.Format = tar.FormatGNU
	}
	return header
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// zeros is an endless row of them.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// stepLog answers with what a step printed, as it comes. The answer to a log that breaks off breaks off too, or the
// client would take what it has for the whole.
func (h *handler) stepLog(w http.ResponseWriter, r *http.Request, number string) {
	step, err := strconv.ParseUint(number, 10, 31)
	if err != nil || h.StepLog == nil || !h.board.hasStep(int(step)) {
		notFound(w)
		return
	}
	log, err := h.StepLog(int(step))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		notFound(w)
		return
	case err != nil:
		plain(w, http.StatusInternalServerError, err.Error())
		return
	}
	stop := context.AfterFunc(r.Context(), func() { log.Close() }) // ends a Read that waits
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodHead {
		_, err = io.Copy(stream(w), log)
		allowTime(http.NewResponseController(w)) // for the end of the response, which the server writes
	}
	if stop() { // else it is closed, or about to be, and nobody is there to be told
		if cause := errors.Join(err, log.Close()); cause != nil {
			h.Log.Warn("log cut short", "step", step, "error", cause)
		}
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (b *Board) hasStep(step int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return step < len(b.steps)
}
