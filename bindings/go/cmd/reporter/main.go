// Command reporter reads paths, one a line, and writes what each checkpoint says as a line of JSON.
// See test/conformance/README.md.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"

	checkpoint "github.com/lightwatch/lightwatch-checkpoint/bindings/go"
)

// Longest tensor whose bytes are reported, in bytes.
const bytesLimit = 256

type object map[string]any

func main() {
	input := bufio.NewReader(os.Stdin)
	for {
		line, err := input.ReadString('\n')
		if path := strings.TrimSuffix(line, "\n"); path != "" {
			encoded, failed := json.Marshal(report(path))
			if failed != nil {
				fmt.Fprintln(os.Stderr, failed)
				os.Exit(1)
			}
			// Standard output is not buffered, so that a line is there at once.
			fmt.Println(string(encoded))
		}
		if err != nil {
			if err != io.EOF {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
}

func report(path string) object {
	c, err := checkpoint.Open(path)
	if err != nil {
		return refusal(err)
	}
	defer c.Close()
	metrics := [][2]any{}
	for _, m := range c.Metrics {
		metrics = append(metrics, [2]any{m.Name, double(m.Value)})
	}
	states := []object{}
	for _, s := range c.States() {
		tensors := []object{}
		for _, t := range s.Tensors {
			described, err := tensor(t)
			if err != nil {
				return refusal(err)
			}
			tensors = append(tensors, described)
		}
		states = append(states, object{"name": s.Name, "kind": s.Kind, "attributes": entries(s.Attributes), "tensors": tensors})
	}
	var loss any
	if c.Loss != nil {
		loss = double(*c.Loss)
	}
	return object{
		"version": c.Version, "metadata_length": c.MetadataLength, "file_length": c.FileLength,
		"epoch": c.Epoch, "step": c.Step, "loss": loss, "metrics": sorted(metrics),
		"config": c.Config, "sequence": c.Sequence, "saved_at": c.SavedAt, "states": states,
	}
}

func refusal(err error) object {
	var e *checkpoint.Error
	if !errors.As(err, &e) {
		return object{"error": object{"code": "unexpected: " + err.Error(), "rule": nil}}
	}
	var rule any
	if e.Rule != "" {
		rule = e.Rule
	}
	return object{"error": object{"code": e.Code, "rule": rule}}
}

func tensor(t *checkpoint.Tensor) (object, error) {
	view, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	shape := []string{}
	for _, n := range t.Shape {
		shape = append(shape, strconv.FormatInt(n, 10))
	}
	var shown any
	if len(view) <= bytesLimit {
		shown = hex.EncodeToString(view)
	}
	return object{
		"name": t.Name, "dtype": t.DType.String(), "shape": shape,
		"offset": strconv.FormatInt(t.Offset(), 10), "byte_length": strconv.Itoa(len(view)),
		"crc32": fmt.Sprintf("%08x", crc32.ChecksumIEEE(view)), "bytes": shown,
	}, nil
}

func double(value float64) string {
	if math.IsNaN(value) {
		return "nan"
	}
	return fmt.Sprintf("%016x", math.Float64bits(value))
}

func entries(m checkpoint.Map) [][2]any {
	pairs := [][2]any{}
	for _, e := range m {
		pairs = append(pairs, [2]any{e.Key, attribute(e.Value)})
	}
	return sorted(pairs)
}

func sorted(pairs [][2]any) [][2]any {
	sort.Slice(pairs, func(i, k int) bool { return pairs[i][0].(string) < pairs[k][0].(string) })
	return pairs
}

func attribute(value checkpoint.Attribute) any {
	switch v := value.(type) {
	case checkpoint.Integer:
		return object{"number": double(float64(v))}
	case checkpoint.Float64:
		return object{"number": double(float64(v))}
	case checkpoint.Int64:
		return object{"bigint": strconv.FormatInt(int64(v), 10)}
	case checkpoint.Uint64:
		return object{"bigint": strconv.FormatUint(uint64(v), 10)}
	case []checkpoint.Attribute:
		items := []any{}
		for _, item := range v {
			items = append(items, attribute(item))
		}
		return items
	case checkpoint.Map:
		return object{"map": entries(v)}
	}
	return value
}
