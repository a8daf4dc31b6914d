package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// exampleEndpoint lies in a folder of its own; a real program mostly calls [ipc.NewEndpoint].
func exampleEndpoint() (ep ipc.Endpoint, remove func()) {
	dir, err := os.MkdirTemp("", "life")
	if err != nil {
		panic(err)
	}
	ep, err = ipc.NewEndpointIn(dir, "example")
	if err != nil {
		panic(err)
	}
	return ep, func() { os.RemoveAll(dir) }
}

// serveExample is a server, which mostly is a process of its own.
func serveExample(ep ipc.Endpoint) (ended chan error, err error) {
	claim, err := lifecycle.Claim(context.Background(), ep, &lifecycle.ClaimOptions{Version: "2"})
	if err != nil {
		return nil, err
	}
	srv := ipc.NewServer(&ipc.ServerOptions{Version: "2"})
	srv.Handle(1, func(_ context.Context, r *ipc.Request) (*ipc.Response, error) {
		return r.Reply(r.Payload), nil
	})
	ended = make(chan error, 1)
	go func() { ended <- srv.Serve(context.Background(), claim) }() // until it is drained
	return ended, nil
}

func Example() {
	ctx := context.Background()
	ep, remove := exampleEndpoint()
	defer remove()
	ended, err := serveExample(ep)
	if err != nil {
		fmt.Println(err)
		return
	}

	client, err := lifecycle.Ensure(ctx, ep, &lifecycle.Options{Version: "2"})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := client.Call(ctx, 1, []byte("hello"))
	fmt.Println(string(answer), err)
	client.Close()

	outcome, err := lifecycle.Stop(ctx, ep, nil)
	fmt.Println(outcome, err)
	fmt.Println(<-ended)
	// Output:
	// hello <nil>
	// drained <nil>
	// <nil>
}

func ExampleClaim() {
	ctx := context.Background()
	ep, remove := exampleEndpoint()
	defer remove()
	claim, err := lifecycle.Claim(ctx, ep, &lifecycle.ClaimOptions{Version: "2"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer claim.Close()

	_, err = lifecycle.Claim(ctx, ep, nil)
	held, _ := errors.AsType[*lifecycle.HeldError](err)
	fmt.Println(held.Holder.Version, held.Holder.Process.PID == os.Getpid())
	// Output: 2 true
}

func ExampleEnsure() {
	ctx := context.Background()
	ep, remove := exampleEndpoint()
	defer remove()
	_, err := lifecycle.Ensure(ctx, ep, &lifecycle.Options{
		Version: "2",
		Spawn: func(context.Context, lifecycle.SpawnInfo) (<-chan error, error) {
			return nil, errors.New("no such program")
		},
	})
	start, ok := errors.AsType[*lifecycle.StartError](err)
	fmt.Println(ok, start.Err)
	// Output: true no such program
}

func ExampleReplace() {
	ctx := context.Background()
	ep, remove := exampleEndpoint()
	defer remove()
	ended, err := serveExample(ep)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = lifecycle.Replace(ctx, ep, &lifecycle.Options{
		Version: "3",
		Spawn: func(_ context.Context, info lifecycle.SpawnInfo) (<-chan error, error) {
			return nil, errors.New("told to start one that " + info.Reason)
		},
	})
	start, _ := errors.AsType[*lifecycle.StartError](err)
	fmt.Println(<-ended, start.Err)
	// Output: <nil> told to start one that replaces a server on request
}

func ExampleStop() {
	ep, remove := exampleEndpoint()
	defer remove()
	outcome, err := lifecycle.Stop(context.Background(), ep, nil)
	fmt.Println(outcome, err)
	// Output: not running <nil>
}

func ExampleFindExecutable() {
	dir, err := os.MkdirTemp("", "life")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "tool.exe")
	if err := os.WriteFile(path, nil, 0o700); err != nil {
		panic(err)
	}
	found, err := lifecycle.FindExecutable("tool.exe", &lifecycle.FindOptions{Dirs: []string{dir}})
	fmt.Println(found == path, err)
	// Output: true <nil>
}
