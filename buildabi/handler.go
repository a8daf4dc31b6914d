package buildabi

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// HandlerOptions are for [NewHandler]. Every hook may be called from several goroutines.
type HandlerOptions struct {
	// Prefix is the path below which everything is served. The default is "/"; one that does not
	// end in a slash gets one.
	Prefix string
	// Files has index.html and what it asks for. They are read on every request. Files with an
	// unknown ending are not served. The default is none.
	Files fs.FS
	// Connect takes the WebSocket requests on any path, once they are checked, and calls
	// [Board.Serve]. The default refuses them.
	Connect http.Handler
	// Compile makes main.wasm, for /debug/main.wasm with debug. Requests at the same time share
	// one call, whose ctx ends when all of them have gone. The text of an error is shown to
	// the client. By default main.wasm and debug/main.wasm are files.
	Compile func(ctx context.Context, debug bool) ([]byte, error)
	// Sources opens a file of the current source index for sources.tar. One that cannot be opened
	// is left out. The default serves no sources.
	Sources func(directory, basename string) (fs.File, error)
	// StepLog opens what a step printed, for steps/N/log; reading it may wait for more, until
	// it is closed. The text of an error is shown to the client. The default serves none.
	StepLog func(step int) (io.ReadCloser, error)
	// Hosts are the names, without port, by which the server may be addressed, beside localhost,
	// 127.0.0.1 and [::1].
	Hosts []string
	// Origins are pages of other origins, such as https://ci.example, that may use the server.
	Origins []string
	// Token, if there is one, must come with each request: as ?token= of the first, which makes
	// it a cookie. The default asks for none.
	Token string
	// Log takes what no response can tell. The default is silent.
	Log *slog.Logger
}

// handler serves one board.
type handler struct {
	HandlerOptions
	board   *Board
	compile compiler
}

// NewHandler serves a board over HTTP under the paths that Zig's page uses: the files, main.wasm,
// sources.tar, all of that below debug/ too, and steps/N/log. It answers only requests that
// address it by a name that it knows and that come from its own pages; see [HandlerOptions] for
// what else. Nil options are the defaults. It is safe for concurrent use.
func NewHandler(b *Board, o *HandlerOptions) http.Handler {
	if o == nil {
		o = new(HandlerOptions)
	}
	h := &handler{HandlerOptions: *o, board: b}
	h.Prefix = "/" + strings.Trim(h.Prefix, "/")
	if h.Prefix != "/" {
		h.Prefix += "/"
	}
	if h.Log == nil {
		h.Log = slog.New(slog.DiscardHandler)
	}
	h.compile.hook = o.Compile
	return h
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.admit(w, r) {
		return
	}
	name, below := strings.CutPrefix(r.URL.Path, h.Prefix)
	switch {
	case r.URL.Path+"/" == h.Prefix:
		redirect(w, h.Prefix)
	case !below:
		notFound(w)
	case isWebSocket(r):
		h.connect(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		plain(w, http.StatusMethodNotAllowed, "only GET and HEAD")
	case name == "debug":
		redirect(w, h.Prefix+"debug/") // the page's addresses are relative
	default:
		h.serve(w, r, name)
	}
}

// serve answers a request for what is at a path below the prefix.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, name string) {
	name, debug := strings.CutPrefix(name, "debug/")
	if name == "" {
		name = "index.html"
	}
	step, isStep := strings.CutPrefix(name, "steps/")
	step, isLog := strings.CutSuffix(step, "/log")
	switch {
	case name == "sources.tar":
		h.sources(w, r)
	case name == "main.wasm" && h.Compile != nil:
		h.compiled(w, r, name, debug)
	case isStep && isLog:
		h.stepLog(w, r, step)
	default:
		h.file(w, r, name, debug)
	}
}

func (h *handler) compiled(w http.ResponseWriter, r *http.Request, name string, debug bool) {
	b, err := h.compile.get(r.Context(), debug)
	if err != nil {
		plain(w, http.StatusInternalServerError, err.Error())
		return
	}
	content(w, r, name, b)
}

// isWebSocket reports whether the request asks for one. As in Zig's server others get the file,
// even with that header.
func isWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) &&
		strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

func (h *handler) connect(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Expect") != "": // nobody will send the 100 that the client waits for
		plain(w, http.StatusExpectationFailed, "an upgrade takes no Expect")
	case h.Connect == nil:
		plain(w, http.StatusNotImplemented, "no WebSocket here")
	default:
		h.Connect.ServeHTTP(w, r)
	}
}

// contentType is that of a file by its name, empty for one that is not served. It does not depend
// on what the machine knows of types: a browser compiles wasm of no other type.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html"
	case ".js":
		return "application/javascript"
	case ".css":
		return "text/css"
	case ".wasm":
		return "application/wasm"
	case ".tar":
		return "application/x-tar"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	}
	return ""
}

// maxFile bounds what is read of a file.
const maxFile = 64 << 20

func (h *handler) file(w http.ResponseWriter, r *http.Request, name string, debug bool) {
	if h.Files == nil || contentType(name) == "" || !fs.ValidPath(name) {
		notFound(w)
		return
	}
	b, err := []byte(nil), fs.ErrNotExist
	if debug && name == "main.wasm" {
		b, err = readFile(h.Files, "debug/main.wasm")
	}
	if errors.Is(err, fs.ErrNotExist) {
		b, err = readFile(h.Files, name)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		notFound(w)
	case err != nil:
		h.Log.Warn("file not served", "name", name, "error", err)
		plain(w, http.StatusInternalServerError, "cannot read "+name)
	default:
		content(w, r, name, b)
	}
}

var errTooBig = errors.New("file too big")

func readFile(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = errTooBig
	}
	return b, err
}

// found writes the header of a response that has content.
func found(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", contentType(name))
	w.Header().Set("Cache-Control", "max-age=0, must-revalidate")
}

func content(w http.ResponseWriter, r *http.Request, name string, b []byte) {
	found(w, name)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	if r.Method != http.MethodHead {
		stream(w).Write(b) // a client that has gone misses nothing
	}
}

func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusTemporaryRedirect)
}

func notFound(w http.ResponseWriter) { plain(w, http.StatusNotFound, "not found") }

// plain answers with a line of text.
func plain(w http.ResponseWriter, code int, line string) {
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	allowTime(http.NewResponseController(w)) // the host may have taken all of it
	w.WriteHeader(code)
	io.WriteString(w, line)
}
