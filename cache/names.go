package cache

import (
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkName refuses a name that could leave its folder, or that some supported system cannot hold,
// so that an artifact made on one system can be delivered on every other.
func checkName(name string) error {
	bad := func(reason string) error { return badName(name, reason) }
	switch {
	case name == "":
		return bad("is empty")
	case len(name) > maxName:
		return bad("is longer than 4096 bytes")
	case !utf8.ValidString(name):
		return bad("is not UTF-8")
	case strings.ContainsRune(name, 0):
		return bad("has a NUL")
	case path.IsAbs(name):
		return bad("is absolute")
	case strings.ContainsAny(name, `\:*?"<>|`):
		return bad(`has one of \ : * ? " < > |`)
	case name == "." || !fs.ValidPath(name):
		return bad(`is not clean (no "..", ".", "//" or trailing slash)`)
	}
	for elem := range strings.SplitSeq(name, "/") {
		if reason := checkElem(elem); reason != "" {
			return bad(reason)
		}
	}
	return nil
}

func badName(name, reason string) error {
	return &NameError{Field: "name", Name: name, Reason: reason}
}

func checkElem(elem string) string {
	if len(elem) > 255 {
		return "has an element longer than 255 bytes"
	}
	if strings.ContainsFunc(elem, func(r rune) bool { return r < ' ' }) {
		return "has a control character"
	}
	if last := elem[len(elem)-1]; last == '.' || last == ' ' {
		return "has an element that ends in a dot or a space"
	}
	if reservedOnWindows(elem) {
		return "has an element that is a device name on Windows"
	}
	return ""
}

// reservedOnWindows knows CON, NUL, COM1 and their like, with any extension
// ("Naming Files, Paths, and Namespaces" in the Windows documentation).
func reservedOnWindows(elem string) bool {
	base, _, _ := strings.Cut(elem, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	for _, port := range []string{"COM", "LPT"} {
		if digit, ok := strings.CutPrefix(base, port); ok {
			return utf8.RuneCountInString(digit) == 1 && strings.Contains("0123456789¹²³", digit)
		}
	}
	return false
}

// checkTarget refuses a text that no link can have. Whether it stays inside is decided where it is
// delivered.
func checkTarget(target string) error {
	bad := func(reason string) error {
		return &NameError{Field: "target", Name: target, Reason: reason}
	}
	switch {
	case target == "":
		return bad("is empty")
	case len(target) > maxName:
		return bad("is longer than 4096 bytes")
	case strings.ContainsRune(target, 0):
		return bad("has a NUL")
	}
	return nil
}

// nameSet finds names that one folder of a case-insensitive system could not hold together.
type nameSet struct {
	first   string // maps are made for the second name
	files   map[string]struct{}
	folders map[string]struct{}
}

// add refuses a name that folds to one that is there, or that is a folder where the other is a
// file.
func (s *nameSet) add(name string) error {
	bad := func(reason string) error { return badName(name, reason) }
	if s.files == nil {
		if s.first == "" {
			s.first = name
			return nil
		}
		s.files, s.folders = map[string]struct{}{}, map[string]struct{}{}
		s.note(foldCase(s.first))
	}
	folded := foldCase(name)
	if _, dup := s.files[folded]; dup {
		return bad("is there twice (case does not count)")
	}
	if _, dup := s.folders[folded]; dup {
		return bad("is a folder of another output")
	}
	for dir := path.Dir(folded); dir != "."; dir = path.Dir(dir) {
		if _, dup := s.files[dir]; dup {
			return bad("is below another output")
		}
	}
	s.note(folded)
	return nil
}

func (s *nameSet) note(folded string) {
	s.files[folded] = struct{}{}
	for dir := path.Dir(folded); dir != "."; dir = path.Dir(dir) {
		s.folders[dir] = struct{}{}
	}
}

// foldCase maps each rune to the smallest of its simple-fold orbit, so that two names fold alike
// exactly when strings.EqualFold holds.
func foldCase(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, s)
}
