package checkpoint

type baseType int

const (
	scalarBase baseType = iota
	stringBase
	tableBase
	// A vector whose bytes lie outside the metadata, in a segment.
	segmentBase
	scalarVectorBase
	tableVectorBase
)

// field of a table. size is that of a scalar or of a vector's scalar elements, in bytes.
type field struct {
	name     string
	slot     int64
	required bool
	base     baseType
	size     int64
	boolean  bool
	table    string
}

// tables describes schema/checkpoint.fbs. A test holds it against generated/description.ts.
var tables = map[string][]field{
	"Checkpoint": {
		{name: "version", slot: 4, size: 4},
		{name: "metadata_length", slot: 6, size: 4},
		{name: "metadata_crc32", slot: 8, size: 4},
		{name: "file_length", slot: 10, size: 8},
		{name: "epoch", slot: 12, size: 8},
		{name: "step", slot: 14, size: 8},
		{name: "loss", slot: 16, size: 8},
		{name: "metrics", slot: 18, base: tableVectorBase, table: "Metric"},
		{name: "config", slot: 20, base: stringBase},
		{name: "model", slot: 22, required: true, base: tableBase, table: "State"},
		{name: "optimizer", slot: 24, base: tableBase, table: "State"},
		{name: "extras", slot: 26, base: tableVectorBase, table: "State"},
	},
	"Entry": {
		{name: "key", slot: 4, required: true, base: stringBase},
		{name: "value", slot: 6, required: true, base: tableBase, table: "Value"},
	},
	"Metric": {
		{name: "name", slot: 4, required: true, base: stringBase},
		{name: "value", slot: 6, size: 8},
	},
	"State": {
		{name: "name", slot: 4, required: true, base: stringBase},
		{name: "kind", slot: 6, base: stringBase},
		{name: "attributes", slot: 8, base: tableVectorBase, table: "Entry"},
		{name: "tensors", slot: 10, required: true, base: tableVectorBase, table: "Tensor"},
	},
	"Tensor": {
		{name: "name", slot: 4, required: true, base: stringBase},
		{name: "dtype", slot: 6, size: 1},
		{name: "shape", slot: 8, required: true, base: scalarVectorBase, size: 8},
		{name: "offset", slot: 10, size: 8},
		{name: "byte_length", slot: 12, size: 8},
		{name: "crc32", slot: 14, size: 4},
		{name: "data", slot: 16, base: segmentBase, size: 1},
	},
	"Value": {
		{name: "kind", slot: 4, size: 1},
		{name: "boolean", slot: 6, size: 1, boolean: true},
		{name: "integer", slot: 8, size: 8},
		{name: "uinteger", slot: 10, size: 8},
		{name: "number", slot: 12, size: 8},
		{name: "text", slot: 14, base: stringBase},
		{name: "list", slot: 16, base: tableVectorBase, table: "Value"},
		{name: "map", slot: 18, base: tableVectorBase, table: "Entry"},
	},
}

func fieldSlot(table, name string) int64 {
	for _, f := range tables[table] {
		if f.name == name {
			return f.slot
		}
	}
	panic("the schema has no field " + table + "." + name)
}
