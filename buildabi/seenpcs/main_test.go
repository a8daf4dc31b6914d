package seenpcs_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/larderbuild/larder/buildabi/seenpcs"
	"github.com/larderbuild/larder/internal/testkit"
)

func TestMain(m *testing.M) {
	os.Exit(testkit.Main(m, &testkit.Options{Roles: map[string]testkit.Role{"fuzzer": playFuzzer}}))
}

// playFuzzer counts in a file that is there, cuts it, and makes it whole again; a line on standard
// input leads from one to the next.
func playFuzzer(args []string) int {
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return 1
	}
	defer f.Close()
	whole, err := os.ReadFile(args[0])
	if err != nil {
		return 1
	}
	for i := range 2000 {
		copy(whole, binary.LittleEndian.AppendUint64(nil, uint64(i)))
		whole[24+i/8%8] |= 1 << (i % 8)
		if _, err := f.WriteAt(whole[:32], 0); err != nil {
			return 1
		}
	}
	fmt.Println("counted")
	fmt.Scanln()
	err = f.Truncate(30)
	fmt.Println("cut")
	fmt.Scanln()
	_, write := f.WriteAt(whole, 0)
	fmt.Println("whole")
	if err != nil || write != nil {
		return 1
	}
	return 0
}

// TestFollowOtherProcess follows a file while another process counts in it and cuts it.
func TestFollowOtherProcess(t *testing.T) {
	path := coverageFile(t, goldens(t)["pcs_64"].bytes)
	f := open(t, path)
	child := testkit.Start(t, "fuzzer", path)
	said := make(chan string)
	go func() {
		defer close(said)
		for {
			line, err := child.Out.ReadString('\n')
			if err != nil {
				return
			}
			said <- line
		}
	}()
	var last uint64
	for counting := true; counting; {
		select {
		case <-said:
			counting = false
		default:
		}
		c, err := f.Coverage()
		if err != nil {
			t.Fatal(err)
		}
		if c.Runs < last && last != 2 { // the file begins with 2
			t.Errorf("%d runs after %d", c.Runs, last)
		}
		last = c.Runs
	}
	if c, err := f.Coverage(); err != nil || c.Runs != 1999 || c.Covered.Count() != 64 {
		t.Errorf("in the end %+v, %v", c, err)
	}
	for _, whole := range []bool{false, true} {
		fmt.Fprintln(child.In)
		<-said
		if _, err := f.Coverage(); errors.Is(err, seenpcs.ErrFormat) == whole {
			t.Errorf("whole: %v: %v", whole, err)
		}
	}
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}
