package gocacheprog

import (
	"log/slog"
	"sync"
)

// trouble reports each kind of trouble once, for there may be one a request.
type trouble struct {
	logger *slog.Logger
	told   sync.Map // message
}

func (t *trouble) report(message string, err error) {
	if _, told := t.told.LoadOrStore(message, true); !told {
		t.logger.Warn(message, "err", err)
	}
}
