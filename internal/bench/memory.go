package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memory returns how much of the program is in memory, in MiB: of the process
// that serves, and of those that it has started of itself, whose program is in
// memory once for all. Its PostgreSQL does not count.
func (srv *server) memory() (float64, error) {
	pid := srv.cmd.Process.Pid
	kib, err := statusOf(pid, "VmRSS")
	if err != nil {
		return 0, err
	}
	helpers, err := helpersOf(pid)
	if err != nil {
		return 0, err
	}
	for _, helper := range helpers {
		if own, err := statusOf(helper, "RssAnon"); err == nil { // else it is gone
			kib += own
		}
	}
	return kib / 1024, nil
}

// statusOf reads a number that the kernel tells about a process, in KiB.
func statusOf(pid int, field string) (float64, error) {
	status, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		if f := strings.Fields(lines.Text()); len(f) == 3 && f[0] == field+":" {
			return strconv.ParseFloat(f[1], 64)
		}
	}
	return 0, errors.New("the kernel does not tell the memory of a process")
}

// helpersOf returns the children of a process that run the same program.
func helpersOf(pid int) ([]int, error) {
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return nil, err
	}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil, err
	}
	var helpers []int
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // of a thread that is gone
		}
		for _, child := range strings.Fields(string(text)) {
			if exe, err := os.Readlink("/proc/" + child + "/exe"); err != nil || exe != program {
				continue
			}
			n, err := strconv.Atoi(child)
			if err != nil {
				return nil, err
			}
			helpers = append(helpers, n)
		}
	}
	return helpers, nil
}
