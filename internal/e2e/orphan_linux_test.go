package e2e

import "syscall"

// dieWithParent ends a program with the test that started it, also when that
// is killed and cannot clean up.
func dieWithParent(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
