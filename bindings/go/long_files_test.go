//go:build unix

package checkpoint

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

const gib = int64(1) << 30

// makeLong makes a sparse file of uint8 tensors, called 0, 1, 2 and so on, all zeros but for their last
// byte, 0xa5.
func makeLong(t *testing.T, name string, lengths ...int64) string {
	t.Helper()
	if os.Getenv("LIGHTWATCH_LARGE") != "1" {
		t.Skip("files of several GiB are read where LIGHTWATCH_LARGE is 1")
	}
	path := filepath.Join(t.TempDir(), name)
	arguments := []string{"tsx", "bindings/make-long-file.ts", path}
	for _, length := range lengths {
		arguments = append(arguments, strconv.FormatInt(length, 10))
	}
	command := exec.Command("npx", arguments...)
	command.Dir = "../.."
	if output, err := command.CombinedOutput(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			t.Skip("there is no Node here")
		}
		t.Fatalf("%v: %s", err, output)
	}
	return path
}

func checkLong(t *testing.T, path string, lengths ...int64) {
	t.Helper()
	for _, opts := range [][]Option{nil, {WithoutMap()}} {
		c, err := Open(path, opts...)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Verify(); err != nil {
			t.Fatal(err)
		}
		for i, length := range lengths {
			tensor := c.Model.Tensor(strconv.Itoa(i))
			// Read, a long one is verified piece by piece; it need not fit into memory.
			if len(opts) > 0 && length >= gib {
				continue
			}
			data, err := tensor.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			zeros := bytes.TrimLeft(data, "\x00")
			if int64(len(data)) != length || !bytes.Equal(zeros, []byte{0xa5}) {
				t.Fatalf("tensor %d has %d bytes and %d after its zeros", i, len(data), len(zeros))
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFileOfMoreThan4GiB(t *testing.T) {
	lengths := []int64{2*gib + 4_000, 2*gib + 100<<20, 200}
	path := makeLong(t, "long.ckpt", lengths...)
	checkLong(t, path, lengths...)
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	last := c.Model.Tensor("2").Offset()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if last <= 4*gib {
		t.Fatalf("the last tensor starts at %d", last)
	}
	// Damage beyond the reach of 32 bits is found.
	for _, damage := range []struct {
		bytes []byte
		code  Code
	}{
		{[]byte{1}, CodeFormat},
		{[]byte{0, 1}, CodeTensorChecksum},
	} {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(damage.bytes, last-1); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		c, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Model.Tensor("2").Bytes()
		wantCode(t, err, damage.code)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFilesAroundTheLimitOfFlatBuffers(t *testing.T) {
	short, err := Open(makeLong(t, "short.ckpt", 1))
	if err != nil {
		t.Fatal(err)
	}
	start := short.Model.Tensor("0").Offset()
	if err := short.Close(); err != nil {
		t.Fatal(err)
	}
	// The longest file that is a FlatBuffer, and the shortest that is none.
	const limit = int64(1)<<31 - 1
	for name, length := range map[string]int64{"plain.ckpt": limit - 1 - start, "longer.ckpt": limit - start} {
		path := makeLong(t, name, length)
		checkLong(t, path, length)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
