//go:build !linux && !darwin

package lifecycle

// checkLocal trusts the folder: nothing cheap tells here.
func checkLocal(string) error { return nil }
