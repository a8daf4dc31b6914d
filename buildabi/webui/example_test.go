package webui_test

import (
	"context"
	"fmt"
	"net"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/buildabi/webui"
)

// A server shows a build; a client in Go follows it and asks for another.
func Example() {
	board := buildabi.NewBoard(nil)
	build := board.StartBuild("compile", "test")
	build.SetStep(0, buildabi.Failure)
	build.Finish(buildabi.Watching)

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error)
	go func() { done <- buildabi.Serve(ctx, l, webui.Handler(board, nil), nil) }()

	client, err := webui.Dial(ctx, "http://"+l.Addr().String()+"/", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, _, err := client.Next(ctx)
	if hello, ok := m.(*buildabi.Hello); ok {
		fmt.Println(hello.Status, hello.Steps[0], hello.Statuses.Get(0), err)
	}
	fmt.Println(client.Rebuild(ctx), board.WaitRebuild(ctx))
	fmt.Println(client.Close())
	stop()
	fmt.Println(<-done)
	// Output:
	// watching compile failure <nil>
	// <nil> <nil>
	// <nil>
	// context canceled
}
