package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

func TestMain(m *testing.M) {
	roles := map[string]testkit.Role{
		"holder": playHolder, "sleeper": playSleeper, "telling": playTelling, "finder": playFinder,
		"released": playReleased,
	}
	maps.Copy(roles, systemRoles)
	os.Exit(testkit.Main(m, &testkit.Options{Roles: roles}))
}

// playSleeper does nothing until its input ends.
func playSleeper([]string) int {
	fmt.Println("up")
	os.Stdin.Read(make([]byte, 1))
	return 0
}

// playHolder claims the endpoint in a folder, and serves it if told to, until its input ends. One
// that lingers says when it is drained, and goes on until then.
func playHolder(args []string) int {
	ep, err := ipc.NewEndpointIn(args[0], "test")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	claim, err := lifecycle.Claim(context.Background(), ep, &lifecycle.ClaimOptions{Version: "7"})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer claim.Close()
	if args[1] == "claim" {
		return playSleeper(nil)
	}
	srv := ipc.NewServer(&ipc.ServerOptions{Version: "7"})
	ended := make(chan error)
	go func() { ended <- srv.Serve(context.Background(), claim) }()
	for !ep.Listening() {
	}
	if args[1] == "linger" {
		go func() { <-ended; fmt.Println("drained"); ended <- nil }()
	}
	playSleeper(nil)
	srv.Close()
	<-ended
	return 0
}

// playReleased claims the endpoint in a folder, gives the claim up when it is told to, says so, and
// goes on until its input ends.
func playReleased(args []string) int {
	ep, err := ipc.NewEndpointIn(args[0], "test")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	claim, err := lifecycle.Claim(context.Background(), ep, nil)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	playSleeper(nil)
	if err := claim.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("released")
	os.Stdin.Read(make([]byte, 1))
	return 0
}

// playTelling tells its starter what its second argument says, or nothing.
func playTelling(args []string) int {
	r, err := lifecycle.OpenReadiness(args[0])
	if err != nil {
		fmt.Println(err)
		return 1
	}
	switch args[1] {
	case "ready":
		r.Ready()
		playSleeper(nil)
	case "failed":
		r.Fail(errors.New("first line\nsecond line"))
		return 3
	case "exit":
		return 3
	case "hang":
		playSleeper(nil)
	}
	return 0
}

// newEndpoint names an endpoint in a folder with a path short enough for sockets.
func newEndpoint(t testing.TB) (ep ipc.Endpoint, dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "life")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ep, err = ipc.NewEndpointIn(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	return ep, dir
}

// startHolder starts a process that claims or serves the endpoint in a folder.
func startHolder(t testing.TB, dir, what string) *testkit.Child {
	t.Helper()
	c := testkit.Start(t, "holder", dir, what)
	if line, err := c.Out.ReadString('\n'); line != "up\n" {
		t.Fatal(line, err)
	}
	return c
}

func claim(t testing.TB, ep ipc.Endpoint) *lifecycle.Held {
	t.Helper()
	h, err := lifecycle.Claim(t.Context(), ep, &lifecycle.ClaimOptions{Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}
