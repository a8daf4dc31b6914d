package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"github.com/larderbuild/larder/internal/bench/frame"
)

// options are the command line.
type options struct {
	suite   frame.Suite
	quick   bool
	json    bool
	plot    string
	dir     string
	entries int
	rows    *regexp.Regexp
}

// parse reads the command line. It prints usage to w where the flag package does.
func parse(args []string, w io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(w)
	suite := flags.String("suite", "", "what to measure: "+suiteNames())
	flags.BoolVar(&o.quick, "quick", false, "end within 45 s: smaller sizes, fewer rounds")
	flags.BoolVar(&o.json, "json", false, "print one JSON object a row instead of the table")
	flags.StringVar(&o.plot, "plot", "", "also write SVG drawings into this `folder`")
	flags.StringVar(&o.dir, "dir", "", "where temporary files go; the system's temporary `folder` when empty")
	flags.Func("rows", "measure only rows whose name matches this `regexp`", func(s string) (err error) {
		o.rows, err = regexp.Compile(s)
		return err
	})
	flags.Func("entries", "`size` of the large store, such as 1e6 or 1e7; 1e6 when not given, 1e5 with -quick",
		func(s string) (err error) {
			o.entries, err = parseCount(s)
			return err
		})
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("bench: unexpected argument %q", flags.Arg(0))
	}
	var ok bool
	if o.suite, ok = suiteNamed(*suite); !ok {
		return nil, fmt.Errorf("bench: -suite %q: want one of: %s", *suite, suiteNames())
	}
	return o, nil
}

// parseCount reads a whole number that may be written like 1e6.
func parseCount(s string) (int, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, err
	}
	if v != float64(int(v)) || v < 1000 || v > 1e8 {
		return 0, errors.New("want a whole number from 1000 to 1e8")
	}
	return int(v), nil
}
