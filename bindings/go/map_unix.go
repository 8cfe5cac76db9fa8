//go:build unix

package checkpoint

import (
	"os"
	"syscall"
)

// Does not wait for the writer of a FIFO.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK

func mapFile(file *os.File, length int64) ([]byte, error) {
	if int64(int(length)) != length {
		return nil, syscall.EFBIG
	}
	return syscall.Mmap(int(file.Fd()), 0, int(length), syscall.PROT_READ, syscall.MAP_SHARED)
}

func unmapFile(mapped []byte) error { return syscall.Munmap(mapped) }
