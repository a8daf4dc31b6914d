package place

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Symlink stages a symbolic link. Its text must be relative and stay inside the destination from
// where the link stands, else the error is a [*TargetError]. On Windows the link is one to a
// folder only when the folder is there already.
func (d *Delivery) Symlink(name, target string) error {
	slashed := filepath.ToSlash(target) // Windows takes both separators
	if reason := leavesRoot(name, slashed); reason != "" {
		return &TargetError{Name: name, Target: target, Reason: reason}
	}
	return d.stage(name, func(into *folder, temp string) (staged, error) {
		return staged{}, d.symlink(name, slashed, into, temp)
	})
}

func (d *Delivery) symlink(name, target string, into *folder, temp string) error {
	if slices.Contains(strings.Split(target, "/"), "..") {
		through, err := throughLink(d.root, into.dir)
		if err != nil {
			return err
		}
		if through {
			return &TargetError{Name: name, Target: target, Reason: "goes up from below another link"}
		}
	}
	// Not through into.root: on Windows the kind of link depends on what the text names below the
	// destination.
	temp = filepath.Join(filepath.FromSlash(into.dir), temp)
	return d.root.Symlink(filepath.FromSlash(target), temp)
}

// leavesRoot says why a link called name may not hold target, or nothing. Going up is allowed only
// at the beginning: after a name, ".." leads to wherever that name leads, which may be a link too,
// and no reading of the text can tell.
func leavesRoot(name, target string) string {
	switch {
	case target == "":
		return "is empty"
	case strings.ContainsRune(target, 0):
		return "has a NUL"
	case path.IsAbs(target), filepath.IsAbs(target):
		return "is absolute"
	}
	depth, down := strings.Count(name, "/"), false
	for elem := range strings.SplitSeq(target, "/") {
		switch {
		case elem == "" || elem == ".":
		case elem != "..":
			down = true
		case down:
			return `has ".." after a name`
		default:
			depth--
		}
	}
	if depth < 0 || !filepath.IsLocal(filepath.FromSlash(path.Join(path.Dir(name), target))) {
		return "leads out of the destination"
	}
	return ""
}
