package vfs

// Fault is what becomes of one call. The zero value lets it take place.
type Fault struct {
	// Err is returned in place of the call. A failed Sync or SyncDir of a [Mem] does what
	// Linux does: what was not durable never will be, though reads show it and the next
	// sync succeeds.
	Err error
	// Unopened makes Err of a SyncDir that of opening the folder: nothing is lost by it.
	Unopened bool
	// Partial bytes of a write still reach the file before Err or Crash ends it, at most all.
	Partial int
	// Crash makes this call and all later ones fail with [ErrCrashed] and change nothing.
	Crash bool
	// Lie reports success and does nothing. It is for calls that return only an error,
	// above all Sync and SyncDir: code that still passes its crash test did not need that sync.
	Lie bool
}

// Hook decides about each call. It runs on the caller's goroutine, with no lock held, and
// several calls may ask at once.
type Hook func(Op) Fault

// When answers f to the calls that match and lets the others pass.
func When(match func(Op) bool, f Fault) Hook {
	return func(op Op) Fault {
		if match(op) {
			return f
		}
		return Fault{}
	}
}

// CrashAt crashes in place of the given step.
func CrashAt(step int) Hook {
	return When(func(op Op) bool { return op.Step == step }, Fault{Crash: true})
}

// TearAt crashes in the given step; where that is a write, half of its bytes reach the file.
func TearAt(step int) Hook {
	return func(op Op) Fault {
		return Fault{Crash: op.Step == step, Partial: op.Size / 2}
	}
}

// FailAt makes the given step, and no other, fail with err.
func FailAt(step int, err error) Hook {
	return When(func(op Op) bool { return op.Step == step }, Fault{Err: err})
}

// Lie makes Sync and SyncDir of the paths that match report success and do nothing.
func Lie(match func(path string) bool) Hook {
	return When(func(op Op) bool {
		return (op.Kind == OpSync || op.Kind == OpSyncDir) && match(op.Path)
	}, Fault{Lie: true})
}

// Chain asks each hook in turn; the first that does not let the call pass decides. So a crash
// goes before the lie that it is to uncover.
func Chain(hooks ...Hook) Hook {
	return func(op Op) Fault {
		for _, h := range hooks {
			if f := h(op); f.strikes() {
				return f
			}
		}
		return Fault{}
	}
}

func (f Fault) strikes() bool { return f.Err != nil || f.Crash || f.Lie }
