package cachetest

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/larderbuild/larder/cache"
)

// The checks of Memory are written apart from those of package cache on purpose: the suite holds
// both against one table, and a fuzz test holds them against each other.

func check(a Artifact) error {
	if len(a.Metadata) > 64<<10 {
		return fmt.Errorf("cachetest: put: metadata of %d bytes: %w", len(a.Metadata), cache.ErrTooLarge)
	}
	taken := map[string]bool{} // folded name: true for an output, false for a folder
	for _, o := range a.Outputs {
		reason := nameError(o.Name)
		if reason == "" {
			reason = clash(taken, fold(o.Name))
		}
		if reason != "" {
			return &cache.NameError{Field: "name", Name: o.Name, Reason: reason}
		}
	}
	return nil
}

// read reads s to its end.
func (s Stream) read() ([]byte, error) {
	content, err := io.ReadAll(s.Content)
	size := int64(len(content))
	switch {
	case err != nil:
	case s.Size >= 0 && size < s.Size:
		err = cache.ErrShortContent
	case s.Size >= 0 && size > s.Size:
		err = cache.ErrTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("cachetest: put %q: %w", s.Name, err)
	}
	return content, nil
}

// nameError says why a name cannot be an output's, or nothing.
func nameError(name string) string {
	if !fs.ValidPath(name) || name == "." || len(name) > 4096 {
		return "is no clean relative path of at most 4096 bytes"
	}
	if i := strings.IndexFunc(name, foreign); i >= 0 {
		r, _ := utf8.DecodeRuneInString(name[i:])
		return fmt.Sprintf("has %q, which some systems cannot store", r)
	}
	for element := range strings.SplitSeq(name, "/") {
		switch {
		case len(element) > 255:
			return "has an element of more than 255 bytes"
		case strings.TrimRight(element, ". ") != element:
			return "has an element that ends in a dot or a space"
		case device(element):
			return "has an element that is a device on Windows"
		}
	}
	return ""
}

func foreign(r rune) bool { return r < ' ' || strings.ContainsRune(`\:*?"<>|`, r) }

// device reports names that Windows gives to devices, whatever their case and suffix.
func device(element string) bool {
	base, _, _ := strings.Cut(strings.ToLower(element), ".")
	base = strings.TrimRight(base, " ")
	switch base {
	case "con", "prn", "aux", "nul", "conin$", "conout$":
		return true
	}
	number, com := strings.CutPrefix(base, "com")
	if !com {
		number, com = strings.CutPrefix(base, "lpt")
	}
	return com && utf8.RuneCountInString(number) == 1 && strings.Contains("0123456789¹²³", number)
}

// fold maps names to one that differ only in case.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		for next := unicode.SimpleFold(r); next > r; next = unicode.SimpleFold(r) {
			r = next // up to the largest of the orbit
		}
		return r
	}, name)
}

// clash takes a folded name, or says why it cannot be beside the others.
func clash(taken map[string]bool, name string) string {
	if file, there := taken[name]; there && file {
		return "is there twice, up to case"
	} else if there {
		return "is also a folder of another output"
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if taken[dir] {
			return "has another output as a folder"
		}
		taken[dir] = false
	}
	taken[name] = true
	return ""
}
