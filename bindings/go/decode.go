package checkpoint

import (
	"unicode/utf8"

	flatbuffers "github.com/google/flatbuffers/go"
	"github.com/lightwatch/lightwatch-checkpoint/bindings/go/internal/format"
)

// The slots of fields that the generated accessors cannot distinguish, or would follow.
var (
	dataSlot = flatbuffers.VOffsetT(fieldSlot("Tensor", "data"))
	listSlot = flatbuffers.VOffsetT(fieldSlot("Value", "list"))
	mapSlot  = flatbuffers.VOffsetT(fieldSlot("Value", "map"))
)

// Attribute is a node of a tree of attributes: nil, bool, Integer, Int64, Uint64, Float64, string,
// []Attribute or Map.
type Attribute any

// Integer is an integer that a double holds exactly.
type Integer int64

// Int64 is any signed integer. It is distinct from Integer because the writer distinguished them.
type Int64 int64

// Uint64 is an integer from 2^63 up.
type Uint64 uint64

// Float64 is a double.
type Float64 float64

// Entry is a key and its value.
type Entry struct {
	Key   string
	Value Attribute
}

// Map keeps the writer's order. Keys are unique.
type Map []Entry

// Get returns the value of a key.
func (m Map) Get(key string) (Attribute, bool) {
	for i := range m {
		if m[i].Key == key {
			return m[i].Value, true
		}
	}
	return nil, false
}

// Metric is a named double.
type Metric struct {
	Name  string
	Value float64
}

// decoder keeps the first fault. After a fault its results have no meaning.
type decoder struct{ err error }

func (d *decoder) fail(rule, message string, arguments ...any) {
	if d.err == nil {
		d.err = failure(CodeFormat, rule, message, arguments...)
	}
}

func (d *decoder) text(bytes []byte, what string) string {
	if !utf8.Valid(bytes) {
		d.fail(ruleTextUtf8, "%s is not valid UTF-8", what)
	}
	return string(bytes)
}

func (d *decoder) safe(value int64, what string) int64 {
	if value > maxSafeInteger || value < -maxSafeInteger {
		d.fail(ruleIntegerSafe, "%s is %d, beyond 2^53 - 1", what, value)
	}
	return value
}

func (d *decoder) unsigned(value uint64, what string) int64 {
	if value > maxSafeInteger {
		d.fail(ruleIntegerSafe, "%s is %d, beyond 2^53 - 1", what, value)
		return 0
	}
	return int64(value)
}

func (d *decoder) optional(value *uint64, what string) *int64 {
	if value == nil {
		return nil
	}
	number := d.unsigned(*value, what)
	return &number
}

// decode turns verified metadata into values.
func decode(metadata []byte) (*Checkpoint, error) {
	root := format.GetRootAsCheckpoint(metadata, 0)
	d := &decoder{}
	c := &Checkpoint{Version: root.Version(), MetadataLength: int64(root.MetadataLength())}
	c.FileLength = d.unsigned(root.FileLength(), "file_length")
	seen := map[string]bool{}
	for i, n := 0, root.MetricsLength(); i < n && d.err == nil; i++ {
		var metric format.Metric
		root.Metrics(&metric, i)
		name := d.text(metric.Name(), "the name of a metric")
		value := metric.Value()
		if value == nil {
			d.fail(ruleMetricValue, "the metric %s has no value", quote(name))
			break
		}
		if seen[name] {
			d.fail(ruleMetricUnique, "the metric %s appears twice", quote(name))
		}
		seen[name] = true
		c.Metrics = append(c.Metrics, Metric{name, *value})
	}
	c.Epoch = d.safe(root.Epoch(), "epoch")
	c.Step = d.safe(root.Step(), "step")
	c.Loss = root.Loss()
	if config := root.Config(); config != nil {
		text := d.text(config, "the config")
		c.Config = &text
	}
	c.Sequence = d.optional(root.Sequence(), "sequence")
	c.SavedAt = d.optional(root.SavedAt(), "saved_at")
	if d.err != nil {
		return nil, d.err
	}
	c.Model = d.state(root.Model(nil))
	if optimizer := root.Optimizer(nil); optimizer != nil && d.err == nil {
		c.Optimizer = d.state(optimizer)
	}
	for i, n := 0, root.ExtrasLength(); i < n && d.err == nil; i++ {
		var extra format.State
		root.Extras(&extra, i)
		c.Extras = append(c.Extras, d.state(&extra))
	}
	if d.err != nil {
		return nil, d.err
	}
	return c, nil
}

func (d *decoder) state(state *format.State) *State {
	s := &State{Name: d.text(state.Name(), "the name of a state"), byName: map[string]*Tensor{}}
	s.Attributes = d.entries(state.AttributesLength(), state.Attributes)
	for i, n := 0, state.TensorsLength(); i < n && d.err == nil; i++ {
		var tensor format.Tensor
		state.Tensors(&tensor, i)
		s.Tensors = append(s.Tensors, d.tensor(&tensor))
	}
	if kind := state.Kind(); kind != nil {
		text := d.text(kind, "the kind of a state")
		s.Kind = &text
	}
	return s
}

func (d *decoder) tensor(tensor *format.Tensor) *Tensor {
	t := &Tensor{Name: d.text(tensor.Name(), "the name of a tensor"), DType: DType(tensor.Dtype())}
	if _, known := dtypes[t.DType]; !known {
		d.fail(ruleTensorDtype, "the tensor %s has the unknown dtype %d", quote(t.Name), uint8(t.DType))
	}
	rank := tensor.ShapeLength()
	if rank > maxRank {
		d.fail(ruleTensorRank, "the tensor %s has too many dimensions: %d", quote(t.Name), rank)
	}
	if d.err != nil {
		return t
	}
	t.Shape = make([]int64, rank)
	for i := range t.Shape {
		t.Shape[i] = d.unsigned(tensor.Shape(i), "a dimension of "+quote(t.Name))
	}
	t.offset = d.unsigned(tensor.Offset(), "the offset of "+quote(t.Name))
	t.ByteLength = d.unsigned(tensor.ByteLength(), "the length of "+quote(t.Name))
	t.crc = tensor.Crc32()
	table := tensor.Table()
	// Unsigned, in 64 bits: a backward offset becomes a huge forward one, and is refused.
	if entry := table.Offset(dataSlot); entry != 0 {
		at := table.Pos + flatbuffers.UOffsetT(entry)
		t.vector = int64(at) + int64(table.GetUint32(at))
		t.hasVector = true
	}
	return t
}

func (d *decoder) entries(n int, get func(*format.Entry, int) bool) Map {
	m := Map{}
	seen := map[string]bool{}
	for i := 0; i < n && d.err == nil; i++ {
		var entry format.Entry
		get(&entry, i)
		key := d.text(entry.Key(), "a key")
		if seen[key] {
			d.fail(ruleAttributeUnique, "the key %s appears twice", quote(key))
		}
		seen[key] = true
		if d.err == nil {
			m = append(m, Entry{key, d.value(entry.Value(nil))})
		}
	}
	return m
}

func (d *decoder) value(value *format.Value) Attribute {
	kind := value.Kind()
	boolean, integer, uinteger, number := value.Boolean(), value.Integer(), value.Uinteger(), value.Number()
	text, table := value.Text(), value.Table()
	list, entries := table.Offset(listSlot) != 0, table.Offset(mapSlot) != 0
	present, expected := 0, 1
	for _, there := range []bool{boolean != nil, integer != nil, uinteger != nil, number != nil, text != nil, list, entries} {
		if there {
			present++
		}
	}
	if kind == format.ValueKindNull {
		expected = 0
	}
	if present == expected {
		switch {
		case kind == format.ValueKindNull:
			return nil
		case kind == format.ValueKindBoolean && boolean != nil:
			return *boolean
		case kind == format.ValueKindInteger && integer != nil:
			return Integer(d.safe(*integer, "an integer among the attributes"))
		case kind == format.ValueKindInt64 && integer != nil:
			return Int64(*integer)
		case kind == format.ValueKindUint64 && uinteger != nil && *uinteger >= 1<<63:
			return Uint64(*uinteger)
		case kind == format.ValueKindFloat64 && number != nil:
			return Float64(*number)
		case kind == format.ValueKindText && text != nil:
			return d.text(text, "a text among the attributes")
		case kind == format.ValueKindList && list:
			items := []Attribute{}
			for i, n := 0, value.ListLength(); i < n && d.err == nil; i++ {
				var item format.Value
				value.List(&item, i)
				items = append(items, d.value(&item))
			}
			return items
		case kind == format.ValueKindMap && entries:
			return d.entries(value.MapLength(), value.Map)
		}
	}
	d.fail(ruleValueKind, "an attribute of kind %d does not hold what its kind says", uint8(kind))
	return nil
}
