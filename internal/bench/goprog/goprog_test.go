package goprog_test

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/larderbuild/larder/internal/bench/content"
	"github.com/larderbuild/larder/internal/bench/goprog"
)

// talk runs a server over pipes and the client's side of a conversation.
func talk(t *testing.T, h goprog.Handler, say func(*goprog.Client)) {
	t.Helper()
	fromClient, toServer := io.Pipe()
	fromServer, toClient := io.Pipe()
	served := make(chan error, 1)
	go func() {
		err := goprog.Serve(fromClient, toClient, h)
		toClient.Close()
		served <- err
	}()
	client, err := goprog.NewClient(fromServer, toServer)
	if err != nil {
		t.Fatal(err)
	}
	say(client)
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestConversationAndTable(t *testing.T) {
	dir, pool := t.TempDir(), content.NewPool(200_000)
	bodies := map[goprog.ID][]byte{}
	for i, size := range []int{0, 1, 2, 3, 100, 200_000} {
		bodies[goprog.ID(content.Key(i))] = pool.Value(i, size)
	}
	table, err := goprog.LoadTable(dir)
	if err != nil {
		t.Fatal(err)
	}
	talk(t, table, func(c *goprog.Client) {
		for action, body := range bodies {
			source := filepath.Join(t.TempDir(), "body")
			if err := os.WriteFile(source, body, 0o666); err != nil {
				t.Fatal(err)
			}
			output := goprog.ID(sha256.Sum256(body))
			entry := goprog.Entry{Output: output, Size: int64(len(body)), Path: source}
			path, err := c.Put(action, entry)
			if err != nil {
				t.Fatal(err)
			}
			holds(t, path, body)
		}
	})
	if err := table.Save(); err != nil {
		t.Fatal(err)
	}
	again, err := goprog.LoadTable(dir)
	if err != nil || again.Len() != len(bodies) {
		t.Fatalf("%d actions, error %v, want %d", again.Len(), err, len(bodies))
	}
	talk(t, again, func(c *goprog.Client) {
		for action, body := range bodies {
			path, err := c.Get(action)
			if err != nil {
				t.Fatal(err)
			}
			holds(t, path, body)
		}
		path, err := c.Get(goprog.ID{1})
		if err != nil || path != "" {
			t.Errorf("absent action: path %q, error %v, want a miss", path, err)
		}
	})
}

func holds(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != string(want) {
		t.Errorf("%s: %d bytes, error %v, want %d bytes", path, len(got), err, len(want))
	}
}

func TestLoadTableRefusesDamage(t *testing.T) {
	for _, line := range []string{"x y 3\n", "00 00 3\n", "short\n"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "table.txt"), []byte(line), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := goprog.LoadTable(dir); err == nil {
			t.Errorf("no error for %q", line)
		}
	}
}
