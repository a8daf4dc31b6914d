package lifecycle

import (
	"context"

	"github.com/larderbuild/larder/ipc"
)

// askHolder asks a server that listens who it is.
func askHolder(ctx context.Context, ep ipc.Endpoint) Info {
	ctx, cancel := context.WithTimeout(ctx, defaultProbeTimeout)
	defer cancel()
	c, err := ipc.DialConn(ctx, ep, nil)
	if err != nil {
		return Info{}
	}
	defer c.Close()
	s, err := c.Status(ctx)
	if err != nil {
		return Info{}
	}
	return infoOf(s.ServerInfo)
}
