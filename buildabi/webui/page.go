package webui

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed page
var embedded embed.FS

// page returns the files of our page.
func page() fs.FS {
	files, err := fs.Sub(embedded, "page")
	if err != nil {
		panic("webui: internal error: " + err.Error()) // the name is no path
	}
	return files
}

// policy lets the page use what this server serves, and nothing else; nothing may frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// withPolicy keeps the page to itself. The token may be in its address, so that is not told to
// anyone either.
func withPolicy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.Header.Get("Upgrade") == "" { // the answer to that is Zig's, to the byte
			h.Set("Content-Security-Policy", policy)
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("X-Content-Type-Options", "nosniff")
		}
		next.ServeHTTP(w, r)
	})
}
