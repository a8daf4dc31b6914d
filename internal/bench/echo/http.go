package echo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
)

func serveHTTP(dir string) (stop func(), err error) {
	l, err := net.Listen("unix", socketIn(dir))
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: http.HandlerFunc(answerHTTP)}
	go s.Serve(l) // ends when the server is closed
	return func() { s.Close() }, nil
}

func answerHTTP(w http.ResponseWriter, r *http.Request) {
	message := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, message); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(message)))
	w.Write(message)
}

type httpSession struct {
	client    *http.Client
	transport *http.Transport
}

func dialHTTP(_ context.Context, dir string) (Session, error) {
	t := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialUnix(ctx, dir)
		},
		DisableCompression: true, MaxConnsPerHost: 1,
	}
	return &httpSession{client: &http.Client{Transport: t}, transport: t}, nil
}

// Caller posts messages.
func (s *httpSession) Caller() Call {
	var answer []byte
	return func(message []byte) (_ []byte, err error) {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		body := bytes.NewReader(message)
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://unix/", body)
		if err != nil {
			return nil, err
		}
		response, err := s.client.Do(r)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, response.Body.Close()) }()
		if response.StatusCode != http.StatusOK || response.ContentLength < 0 {
			return nil, fmt.Errorf("bench: %s, %d bytes", response.Status, response.ContentLength)
		}
		n := int(response.ContentLength)
		answer = slices.Grow(answer[:0], n)[:n]
		_, err = io.ReadFull(response.Body, answer)
		return answer, err
	}
}

func (s *httpSession) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}
