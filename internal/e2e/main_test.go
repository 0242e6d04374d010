// Package e2e puts the real binary between real programs: nginx with its RTMP
// module calls back, ffmpeg publishes and plays, PostgreSQL is stopped, and our
// own process is killed. It holds tests only.
//
// Everything is asked through the public client, and every answer is held
// against openapi.yaml.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	return m.Run()
}
