package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/buildabi/webui"
)

// show serves the page until ctx ends, which is no error.
func show(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	handler := &buildabi.HandlerOptions{Log: log}
	if o.assets != "" {
		handler.Files = os.DirFS(o.assets)
		if _, err := fs.Stat(handler.Files, "index.html"); err != nil {
			return fmt.Errorf("no page in %s: %w", o.assets, err)
		}
	}
	l, err := net.Listen("tcp", o.address)
	if err != nil {
		return err
	}
	defer l.Close()
	host, err := newHost(o, log, handler)
	if err != nil {
		return err
	}
	name, _, _ := net.SplitHostPort(o.address) // which has been listened at
	_, port, _ := net.SplitHostPort(l.Addr().String())
	again := net.JoinHostPort(name, port)
	if name == "" || net.ParseIP(name).IsUnspecified() {
		name = "localhost" // any address is none that a browser can go to
	}
	handler.Hosts = []string{name}
	page := "http://" + net.JoinHostPort(name, port) + "/"
	fmt.Fprintf(stdout, "%s\nfor the same port again: -addr %s\n", page, again)
	if o.open {
		go openBrowser(page, stderr) // until that has ended, which may be the browser
	}
	return serve(ctx, l, host, handler)
}

// serve keeps the page and its host going until one of them fails or ctx ends.
func serve(ctx context.Context, l net.Listener, h *host, o *buildabi.HandlerOptions) error {
	ctx, stop := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() { // ends the server if the host fails; waited for below
		defer close(done)
		stop(h.run(ctx))
	}()
	err := buildabi.Serve(ctx, l, webui.Handler(h.board, o), nil)
	stop(err)
	<-done
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// host is what the page is about: a board, and what goes on behind it until ctx ends.
type host struct {
	board *buildabi.Board
	run   func(ctx context.Context) error
}

// newHost makes what the options ask for, and adds what the page's handler needs for it.
func newHost(o *options, log *slog.Logger, handler *buildabi.HandlerOptions) (*host, error) {
	board := buildabi.NewBoard(&buildabi.BoardOptions{Version: o.version, TimeReport: true})
	if o.replay != "" {
		frames, err := readRecording(o.replay)
		if err != nil {
			return nil, err
		}
		handler.Connect = &player{frames, o.speed, log}
		return &host{board, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}}, nil
	}
	m, err := newModule(o, board)
	if err != nil {
		return nil, err
	}
	handler.StepLog = m.logs.open
	if o.record == "" {
		return &host{board, m.run}, nil
	}
	r, err := newRecorder(o.record)
	if err != nil {
		return nil, err
	}
	m.clicked = r.clicked
	return &host{board, func(ctx context.Context) error { return r.run(ctx, board, m.run) }}, nil
}

// openBrowser asks the system to show a page. That it cannot is worth a line, not an end.
func openBrowser(address string, stderr io.Writer) {
	for _, command := range [][]string{
		{"xdg-open"}, {"open"}, {"rundll32", "url.dll,FileProtocolHandler"}} {
		path, err := exec.LookPath(command[0])
		if err != nil {
			continue
		}
		if err := exec.Command(path, append(command[1:], address)...).Run(); err == nil {
			return
		}
	}
	fmt.Fprintln(stderr, "demo: found nothing to open the page with")
}
