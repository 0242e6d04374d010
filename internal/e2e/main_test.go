// Package e2e puts the real binary between real programs: nginx with its RTMP
// module calls back, ffmpeg publishes and plays, PostgreSQL is stopped, and our
// own process is killed. It holds tests only.
//
// Everything is asked through the public client, and every answer is held
// against openapi.yaml.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// binaryEnv tells the tests where TestMain has built the program.
const binaryEnv = "STAGEDOOR_E2E_BINARY"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "stagedoor-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "stagedoor")
	args := []string{"build", "-o", binary}
	if raceEnabled {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "github.com/stagedoor-live/stagedoor/cmd/stagedoor")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program under test: %v\n%s", err, out)
		return 1
	}
	os.Setenv(binaryEnv, binary)
	if err := waitTogether(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer endChromium()
	return m.Run()
}

// waitTogether lets more tests run at once than there are processors: most of
// their time they wait for other programs.
func waitTogether() error {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if asked {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
}
