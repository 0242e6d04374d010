package e2e

import (
	"context"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"testing"
)

// The picture that encoders send.
const pictureWidth, pictureHeight, pictureRate = 320, 180, 15

// client is ffmpeg at one of the two doors.
type client struct {
	*process
	printed  *lockedBuffer
	progress *lockedBuffer
}

// publish starts an encoder.
func publish(t *testing.T, url string) *client {
	t.Helper()
	size := strconv.Itoa(pictureWidth) + "x" + strconv.Itoa(pictureHeight)
	rate := strconv.Itoa(pictureRate)
	return ffmpeg(t,
		"-re", "-f", "lavfi", "-i", "testsrc2=size="+size+":rate="+rate,
		"-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100",
		"-c:v", "libx264", "-threads", "1", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "5", "-pix_fmt", "yuv420p",
		"-c:a", "aac", "-b:a", "64k", "-f", "flv", url)
}

// play starts a player that decodes the picture and throws it away.
func play(t *testing.T, url string) *client {
	t.Helper()
	return ffmpeg(t, "-threads", "1", "-analyzeduration", "1500000", "-i", url, "-map", "0:v", "-f", "null", "-stats_period", "0.1", "-progress", "pipe:1", "-")
}

func ffmpeg(t *testing.T, args ...string) *client {
	t.Helper()
	c := &client{printed: &lockedBuffer{}, progress: &lockedBuffer{}}
	cmd := exec.Command(need(t, "ffmpeg"), append([]string{"-nostdin", "-hide_banner", "-loglevel", "error"}, args...)...)
	cmd.Stdout, cmd.Stderr = c.progress, c.printed
	c.process = launch(t, cmd, syscall.SIGKILL)
	return c
}

// frames says how many pictures a player has decoded.
func (c *client) frames() int {
	all := regexp.MustCompile(`frame=\s*(\d+)`).FindAllStringSubmatch(c.progress.String(), -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(all[len(all)-1][1]) // digits
	return n
}

// watch waits until a player has decoded some pictures.
func (c *client) watch(t *testing.T, frames int) {
	t.Helper()
	eventually(t, "pictures decoded", func() bool {
		if c.ended() {
			t.Fatalf("the player ended: %v\n%s", c.err, c.printed)
		}
		return c.frames() >= frames
	})
}

// admitted returns a player that has decoded some pictures. What a command has
// changed may reach the server a moment after its end: until then it is refused.
func admitted(t *testing.T, url string, frames int) *client {
	t.Helper()
	player := play(t, url)
	eventually(t, "pictures decoded", func() bool {
		if player.ended() {
			player = play(t, url)
		}
		return player.frames() >= frames
	})
	return player
}

// onAir returns an encoder whose stream the media server has, as admitted does.
func onAir(t *testing.T, m realServer, stream, url string) *client {
	t.Helper()
	encoder := publish(t, url)
	eventually(t, stream+" is on the air", func() bool {
		if encoder.ended() {
			encoder = publish(t, url)
		}
		return m.publishes(t, stream)
	})
	return encoder
}

// quit ends a client in good order, as its user would.
func (c *client) quit(t *testing.T) {
	t.Helper()
	c.signal(syscall.SIGINT)
	c.wait(t)
}

// drop ends a client that may be waiting for pictures, and then takes no other
// hint.
func (c *client) drop(t *testing.T) {
	t.Helper()
	c.signal(syscall.SIGKILL)
	c.wait(t)
}

// mustBeRefused waits until the media server has thrown the client out.
func (c *client) mustBeRefused(t *testing.T) {
	t.Helper()
	if code := c.wait(t); code <= 0 || c.frames() > 0 {
		t.Errorf("exit code %d and %d pictures, want a failure and none", code, c.frames())
	}
}

// probe counts the pictures in a recorded file.
func probe(t *testing.T, url string) (frames int, codec string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, need(t, "ffprobe"), "-v", "error", "-select_streams", "v", "-count_frames",
		"-show_entries", "stream=codec_name,nb_read_frames", "-of", "default=noprint_wrappers=1", url).CombinedOutput()
	if err != nil {
		t.Fatalf("ffprobe %s: %v\n%s", url, err, out)
	}
	frames, _ = strconv.Atoi(firstMatch(string(out), `nb_read_frames=(\d+)`))
	return frames, firstMatch(string(out), `codec_name=(\w+)`)
}
