package buildabi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// admit refuses requests that another page in the browser may have made: over a name that it has
// pointed here, from another origin, or, where there is one, without the token.
func (h *handler) admit(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case !h.knowsHost(r.Host):
		plain(w, http.StatusForbidden, "not known by this host name: ask for localhost, or add it to HandlerOptions.Hosts")
	case !h.knowsOrigin(r):
		plain(w, http.StatusForbidden, "not for pages of another origin: add it to HandlerOptions.Origins")
	case !h.knowsToken(w, r):
		plain(w, http.StatusForbidden, "token missing or wrong")
	default:
		return true
	}
	return false
}

func (h *handler) knowsHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	switch host = strings.ToLower(strings.Trim(host, "[]")); host {
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	return slices.ContainsFunc(h.Hosts, func(known string) bool {
		return host == strings.ToLower(strings.Trim(known, "[]"))
	})
}

// knowsOrigin refuses the requests of other pages. One that names no origin passes, unless the browser says that another
// page shows the answer, as an image for instance: it could start compilations. Links in other pages may lead here.
func (h *handler) knowsOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		if len(origins) == 0 && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			return false
		}
	}
	for _, origin := range origins {
		u, err := url.Parse(origin)
		own := err == nil && strings.EqualFold(u.Host, r.Host)
		if !own && !slices.Contains(h.Origins, origin) {
			return false
		}
	}
	return true
}

// knowsToken takes the token from the cookie or, at first use, from the address. The cookie's
// name has a part of the token's hash in it, because all servers of a host share their cookies,
// whatever their ports.
func (h *handler) knowsToken(w http.ResponseWriter, r *http.Request) bool {
	if h.Token == "" {
		return true
	}
	sum := sha256.Sum256([]byte(h.Token))
	name := "buildabi-" + hex.EncodeToString(sum[:4])
	secret := hex.EncodeToString(sum[4:]) // as good as the token, and fit for a cookie
	if c, err := r.Cookie(name); err == nil && same(c.Value, secret) {
		return true
	}
	if !same(r.URL.Query().Get("token"), h.Token) {
		return false
	}
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: secret, Path: h.Prefix,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	return true
}

// same compares in a time that tells nothing of where a and b differ.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
