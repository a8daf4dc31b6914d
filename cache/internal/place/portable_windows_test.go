package place_test

import "io/fs"

// portable is what this system keeps of a mode: whether its owner may write.
func portable(mode fs.FileMode) fs.FileMode {
	if mode&0o200 == 0 {
		return 0o444
	}
	return 0o666
}
