package buildabi_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing/fstest"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

// printer is a connection to a client that prints what it is told, and clicks on Rebuild once it
// knows the steps.
type printer struct {
	clicks chan []byte
}

func (p *printer) Read(ctx context.Context) ([]byte, error) {
	select {
	case m := <-p.clicks:
		return m, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *printer) Write(_ context.Context, msgs [][]byte) error {
	for _, b := range msgs {
		m, err := buildabi.Parse(buildabi.V1, b)
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *buildabi.Hello:
			fmt.Println("build", m.Status)
			for i, name := range m.Steps {
				fmt.Println(" ", name, m.Statuses.Get(i))
			}
			p.clicks <- []byte{0}
		case *buildabi.GenericResult:
			fmt.Println(" ", "step", m.Step, "took", time.Duration(m.Total))
		}
	}
	return nil
}

// A host shows a build, and waits for a click on Rebuild. Package webui has real connections.
func Example() {
	board := buildabi.NewBoard(&buildabi.BoardOptions{Version: buildabi.V1, TimeReport: true})
	build := board.StartBuild("compile", "test")
	build.SetStep(0, buildabi.Success)
	build.SetStep(1, buildabi.Running)
	build.ReportTime(0, 1500*time.Millisecond)

	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- board.Serve(ctx, &printer{make(chan []byte, 1)}) }()
	if err := board.WaitRebuild(ctx); err == nil {
		fmt.Println("rebuild")
	}
	stop()
	fmt.Println(<-ended)
	// Unordered output:
	// build running
	//   compile success
	//   test wip
	//   step 0 took 1.5s
	// rebuild
	// context canceled
}

func ExampleParse() {
	m, err := buildabi.Parse(buildabi.V1, []byte{2, 4, 0, 0, 0, 3})
	fmt.Printf("%+v %v\n", m, err)
	_, err = buildabi.Parse(buildabi.V1, []byte{2, 4, 0, 0, 0, 7})
	fmt.Println(err)
	// Output:
	// &{Step:4 Status:failure} <nil>
	// buildabi: StepUpdate: bits at byte 5: reserved bits in 0x07
}

func ExampleMessage() {
	m := &buildabi.Hello{Status: buildabi.Building, Steps: []string{"a", "b"},
		Statuses: buildabi.NewStatuses(2)}
	m.Statuses.Set(1, buildabi.Failure)
	b, err := m.AppendBinary(nil)
	fmt.Printf("%x %v\n", b, err)
	// Output: 00020000000000000000000002000000010000000100000061620c <nil>
}

func ExampleReader() {
	r := buildabi.NewReader(buildabi.V1)
	for _, b := range [][]byte{
		make([]byte, 16),   // Hello, without any step
		{2, 4, 0, 0, 0, 3}, // step 4 failed
	} {
		m, findings, err := r.Next(b)
		fmt.Printf("%T %q %v\n", m, findings, err)
	}
	// Output:
	// *buildabi.Hello [] <nil>
	// *buildabi.StepUpdate ["StepUpdate: step_idx: 4, of 0"] <nil>
}

func ExampleBits() {
	covered := buildabi.NewBits(100)
	covered.Set(0)
	covered.Set(99)
	fmt.Println(covered.Count(), covered.Get(99), covered.Get(98), len(covered))
	// Output: 2 true false 16
}

func ExampleNewHandler() {
	board := buildabi.NewBoard(nil)
	handler := buildabi.NewHandler(board, &buildabi.HandlerOptions{
		Prefix: "/build/",
		Files:  fstest.MapFS{"index.html": {Data: []byte("<title>build</title>")}},
	})
	server := httptest.NewServer(handler)
	defer server.Close()
	response, err := http.Get(server.URL + "/build/")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	var page bytes.Buffer
	page.ReadFrom(response.Body)
	fmt.Println(response.Status, response.Header.Get("Content-Type"), &page)
	// Output: 200 OK text/html <title>build</title>
}

func ExampleFuzz() {
	board := buildabi.NewBoard(nil)
	build := board.StartBuild("test")
	fuzz, err := build.StartFuzz()
	if err != nil {
		fmt.Println(err)
		return
	}
	var index buildabi.SourceIndex
	file := index.AddFile("/project/src", "root.zig")
	index.Locations = []buildabi.Location{{File: file, Line: 3, Column: 5}, buildabi.NoLocation()}
	fmt.Println(fuzz.SetIndex(&index), build.Finish(buildabi.Watching))

	covered := buildabi.NewBits(2)
	covered.Set(0)
	update := &buildabi.CoverageUpdate{Runs: 1000, UniqueRuns: 17, Covered: covered}
	fmt.Println(fuzz.UpdateCoverage(update))
	fmt.Println(fuzz.SetEntryPoints(1))
	// Output:
	// <nil> <nil>
	// <nil>
	// buildabi: set entry points: EntryPoints: locs: entry 0 is location 1, which is not known
}
