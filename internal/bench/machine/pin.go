package machine

// OnOneCPU runs start so that the processes it starts run on the last CPU this process may use, all
// on the same one, and know no other. Ratios between two ways to talk are steady only then: with
// more, they depend on whether a CPU had to be woken. It is an [errors.ErrUnsupported] where the
// system cannot.
func OnOneCPU(start func() error) error { return onOneCPU(start) }
