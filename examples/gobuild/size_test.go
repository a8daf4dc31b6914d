package main

import "testing"

func TestParseSize(t *testing.T) {
	for text, want := range map[string]size{
		"0": 0, "17": 17, "1kB": 1000, "10GB": 10e9, "1.5 MiB": 3 << 19, "2tb": 2e12, "5B": 5,
		"": -1, "-1": -1, "x": -1, "1e300": -1, "NaN": -1, "10 apples": -1,
	} {
		got := size(-1)
		if err := got.Set(text); got != want || (err == nil) != (want >= 0) {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestFormatBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.00 kB", 12345: "12.3 kB", 999_499: "999 kB",
		999_600: "1.00 MB", 5e15: "5000 TB",
	} {
		if got := formatBytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
