package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

const (
	goldenPath = "../../test/golden/v1.ckpt"
	goldenJSON = "../../test/golden/v1.json"
)

func golden(t testing.TB) []byte {
	t.Helper()
	file, err := os.ReadFile(goldenPath)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// read checks a file in memory in full, its tensors as though they were mapped.
func read(file []byte) (*Checkpoint, error) {
	c, err := parse(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	c.mapped = file
	return c, c.Verify()
}

func wantCode(t *testing.T, err error, codes ...Code) {
	t.Helper()
	var e *Error
	if errors.As(err, &e) {
		for _, code := range codes {
			if e.Code == code {
				return
			}
		}
	}
	t.Fatalf("got %v, want one of %v", err, codes)
}

func ExampleOpen() {
	c, err := Open("../../test/golden/v1.ckpt")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	weights, err := Slice[float32](c.Model.Tensor("embedding.weight"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Epoch, c.Step, len(weights))
	// Output: 3 1000000007 15
}

func TestGoldenFileSaysWhatItHasToSay(t *testing.T) {
	type state struct {
		Name    string
		Kind    *string
		Tensors []struct {
			Name, DType, Data string
			Shape             []int64
		}
	}
	var expected struct {
		Epoch, Step  int64
		Loss, Config string
		Metrics      [][2]string
		Model        state
		Optimizer    state
		Extras       []state
	}
	text, err := os.ReadFile(goldenJSON)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &expected); err != nil {
		t.Fatal(err)
	}
	for _, opts := range [][]Option{nil, {WithoutMap()}, {WithoutTensorChecks()}} {
		c, err := Open(goldenPath, opts...)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Verify(); err != nil {
			t.Fatal(err)
		}
		loss, _ := strconv.ParseFloat(expected.Loss, 64)
		if c.Epoch != expected.Epoch || c.Step != expected.Step || *c.Loss != loss || *c.Config != expected.Config {
			t.Error("the progress is another")
		}
		if len(c.Metrics) != len(expected.Metrics) {
			t.Fatalf("%d metrics", len(c.Metrics))
		}
		for i, m := range c.Metrics {
			value, _ := strconv.ParseFloat(expected.Metrics[i][1], 64)
			same := math.Float64bits(value) == math.Float64bits(m.Value) || math.IsNaN(value) && math.IsNaN(m.Value)
			if m.Name != expected.Metrics[i][0] || !same {
				t.Errorf("metric %v, want %v", m, expected.Metrics[i])
			}
		}
		states := append([]state{expected.Model, expected.Optimizer}, expected.Extras...)
		if len(c.States()) != len(states) {
			t.Fatalf("%d states", len(c.States()))
		}
		for i, s := range c.States() {
			if s.Name != states[i].Name || len(s.Tensors) != len(states[i].Tensors) || (s.Kind == nil) != (states[i].Kind == nil) {
				t.Fatalf("state %q with %d tensors", s.Name, len(s.Tensors))
			}
			for k, tensor := range s.Tensors {
				want := states[i].Tensors[k]
				view, err := tensor.Bytes()
				if err != nil {
					t.Fatal(err)
				}
				if tensor.Name != want.Name || tensor.DType.String() != want.DType || fmt.Sprint(tensor.Shape) != fmt.Sprint(want.Shape) || hex.EncodeToString(view) != want.Data {
					t.Errorf("%q is not what it has to be", want.Name)
				}
			}
		}
		for key, want := range map[string]Attribute{
			"none": nil, "true": true, "negative": Integer(-1), "small int64": Int64(1),
			"greatest uint64": Uint64(math.MaxUint64), "half": Float64(0.5), "empty text": "",
		} {
			if got, ok := c.Optimizer.Attributes.Get(key); !ok || got != want {
				t.Errorf("attribute %q is %v, want %v", key, got, want)
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = c.Model.Tensors[0].Bytes()
		wantCode(t, err, CodeClosed)
		wantCode(t, c.Verify(), CodeClosed)
	}
}

func length[T Element](tensor *Tensor) (int, error) {
	view, err := Slice[T](tensor)
	return len(view), err
}

func TestEveryDTypeHasItsView(t *testing.T) {
	var models []*State
	// Dtypes that are younger than the golden file are in one of the corpus.
	for _, path := range []string{goldenPath, "../../test/conformance/valid/integers-of-4-bits.ckpt"} {
		c, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		models = append(models, c.Model)
	}
	views := map[string]func(*Tensor) (int, error){
		"float64": length[float64], "float32": length[float32], "int8": length[int8], "int16": length[int16],
		"int32": length[int32], "int64": length[int64], "uint8": length[uint8], "uint16": length[uint16],
		"uint32": length[uint32], "uint64": length[uint64], "complex64": length[complex64], "complex128": length[complex128],
	}
	for dtype, info := range dtypes {
		var tensor *Tensor
		for i := 0; i < len(models) && tensor == nil; i++ {
			tensor = models[i].Tensor("dtype/" + info.name)
		}
		if tensor == nil || tensor.DType != dtype {
			t.Fatalf("no tensor of %s", info.name)
		}
		for name, view := range views {
			n, err := view(tensor)
			if name != dtypes[dtype].element {
				wantCode(t, err, CodeStateMismatch)
				continue
			}
			want := 8
			if info.bits < 8 {
				want = int(info.bits)
			}
			if err != nil || n != want {
				t.Errorf("%s as %s: %d elements, %v", info.name, name, n, err)
			}
		}
	}
}

func TestTiedTensorsShareTheirMemory(t *testing.T) {
	for _, opts := range [][]Option{nil, {WithoutMap()}} {
		c, err := Open(goldenPath, opts...)
		if err != nil {
			t.Fatal(err)
		}
		a, errA := c.Model.Tensor("embedding.weight").Bytes()
		b, errB := c.Model.Tensor("head.weight").Bytes()
		if errA != nil || errB != nil || &a[0] != &b[0] {
			t.Error("they do not share it", errA, errB)
		}
		c.Close()
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	file := golden(t)
	for n := range file {
		_, err := read(file[:n])
		wantCode(t, err, CodeFileLength, CodeNotACheckpoint)
	}
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	file := golden(t)
	for bit := 0; bit < 8*len(file); bit++ {
		file[bit/8] ^= 1 << (bit % 8)
		if _, err := read(file); err == nil {
			t.Fatalf("the flip of bit %d was accepted", bit)
		}
		file[bit/8] ^= 1 << (bit % 8)
	}
}

func TestDamageIsFoundWhenTheTensorIsReadUnlessTurnedOff(t *testing.T) {
	file := golden(t)
	c, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	file[c.Model.Tensors[0].Offset()] ^= 1
	path := filepath.Join(t.TempDir(), "damaged.ckpt")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, opts := range [][]Option{nil, {WithoutMap()}, {WithoutTensorChecks()}} {
		c, err := Open(path, opts...)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Model.Tensors[0].Bytes()
		if c.unchecked {
			if err != nil {
				t.Error(err)
			}
		} else {
			wantCode(t, err, CodeTensorChecksum)
		}
		wantCode(t, c.Verify(), CodeTensorChecksum)
		c.Close()
	}
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	folder := t.TempDir()
	for _, path := range []string{folder, filepath.Join(folder, "missing"), "a\x00b"} {
		_, err := Open(path)
		wantCode(t, err, CodeRead)
	}
}

// FuzzOpen seals the metadata's checksum again, so that mutations reach the verifier and beyond.
func FuzzOpen(f *testing.F) {
	f.Add(golden(f))
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) >= minBufferLength {
			if h, err := readHead(file[:min64(headLength, int64(len(file)))], int64(len(file))); err == nil {
				file = append([]byte{}, file...)
				binary.LittleEndian.PutUint32(file[h.crcOffset:], metadataChecksum(file[:h.metadataLength], h.crcOffset))
			}
		}
		_, err := read(file)
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("an error of another family: %v", err)
		}
	})
}
