//go:build unix

package checkpoint

import (
	"path/filepath"
	"syscall"
	"testing"
)

func TestAFifoAndADeviceAreRefusedWithoutWaiting(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skip("no FIFO can be made here: ", err)
	}
	for _, path := range []string{fifo, "/dev/zero"} {
		_, err := Open(path)
		wantCode(t, err, CodeRead)
	}
}
