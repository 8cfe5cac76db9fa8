// Generated from schema/checkpoint.fbs and schema/tables.json; do not edit: npm run gen

package checkpoint

// FormatVersion: The newest version of the format that this library reads, and the version that it writes.
const FormatVersion = 1

// headLength: The root table and its vtable lie within this many bytes from the start of a file.
const headLength = 4096

// segmentAlignment: Every segment starts at a multiple of this, in bytes: a cache line, and any SIMD width in use.
const segmentAlignment = 64

// lengthBytes: Bytes before a segment that are reserved for its length.
const lengthBytes = 4

// flatBufferLimit: Files shorter than this, in bytes, are one plain FlatBuffer: FLATBUFFERS_MAX_BUFFER_SIZE, 2^31 - 1.
const flatBufferLimit = 2147483647

// minBufferLength: The shortest FlatBuffer, in bytes: root offset, identifier, and the root table's offset to its vtable.
const minBufferLength = 12

// maxSafeInteger: The largest integer up to which a double holds every integer exactly: 2^53 - 1.
const maxSafeInteger = 9007199254740991

// maxRank: Most dimensions of a tensor: the limit of NumPy and PyTorch.
const maxRank = 64

// maxNameBytes: Longest name in bytes of UTF-8: far beyond any state dict, and short enough for a message.
const maxNameBytes = 65535

// attributeDepth: The depth in tables of an attribute's value: below the root, its state and its entry. See max_depth.
const attributeDepth = 4

// maxConfigDepth: Deepest nesting of a config that is given as an object; reveals one that contains itself.
const maxConfigDepth = 200

// maxDepth: Deepest nesting of tables: the default of FlatBuffers' verifiers.
const maxDepth = 64

// budgetPerByte: The verifier adds up the ranges that it visits. Their sum may be this many times the metadata's length.
const budgetPerByte = 4

// budgetBase: Bytes that the verifier may visit in addition.
const budgetBase = 65536

// maxVtableNumber: Largest length and entry of a vtable: some runtimes read them as signed 16 bits.
const maxVtableNumber = 32767

// CodeNotACheckpoint: The bytes do not begin like a checkpoint: the identifier is wrong, or the file is too short for one.
const CodeNotACheckpoint Code = "CKPT_NOT_A_CHECKPOINT"

// CodeVersion: The file's format version is newer than this library's.
const CodeVersion Code = "CKPT_VERSION"

// CodeFileLength: The file is shorter or longer than it says: torn, truncated, or appended to.
const CodeFileLength Code = "CKPT_FILE_LENGTH"

// CodeMetadataChecksum: The metadata's checksum does not match.
const CodeMetadataChecksum Code = "CKPT_METADATA_CHECKSUM"

// CodeFlatBuffer: The metadata is not a valid FlatBuffer of our schema.
const CodeFlatBuffer Code = "CKPT_FLATBUFFER"

// CodeFormat: The metadata is a valid FlatBuffer, but says something that the format does not allow; see the rule.
const CodeFormat Code = "CKPT_FORMAT"

// CodeTensorChecksum: A tensor's bytes do not match its checksum.
const CodeTensorChecksum Code = "CKPT_TENSOR_CHECKSUM"

// CodeNoSuchTensor: A checkpoint's state has no tensor of that name.
const CodeNoSuchTensor Code = "CKPT_NO_SUCH_TENSOR"

// CodeStateMismatch: The file and the state that it should be read or restored into do not match.
const CodeStateMismatch Code = "CKPT_STATE_MISMATCH"

// CodeTensorTooLarge: A tensor or the metadata needs more memory, or a longer array, than is possible.
const CodeTensorTooLarge Code = "CKPT_TENSOR_TOO_LARGE"

// CodeClosed: The checkpoint was closed.
const CodeClosed Code = "CKPT_CLOSED"

// CodeRead: A file could not be opened or read; see the cause.
const CodeRead Code = "CKPT_READ"

// CodeFileChanged: The file was changed while it was being read, or it is not the version that a save or a load requires.
const CodeFileChanged Code = "CKPT_FILE_CHANGED"

// CodeBigEndian: The machine is big-endian.
const CodeBigEndian Code = "CKPT_BIG_ENDIAN"

// ruleHead: The root table, its vtable and its first fields lie within the head.
const ruleHead = "head"

// ruleVersion: The version is not 0.
const ruleVersion = "version"

// ruleMetadataLength: The metadata fits into the file, and holds its own checksum.
const ruleMetadataLength = "metadata_length"

// ruleFlatBufferLength: Metadata and vectors are neither too short nor too long.
const ruleFlatBufferLength = "flatbuffer.length"

// ruleFlatBufferIdentifier: The metadata carries the schema's identifier.
const ruleFlatBufferIdentifier = "flatbuffer.identifier"

// ruleFlatBufferRange: What is read lies within the metadata.
const ruleFlatBufferRange = "flatbuffer.range"

// ruleFlatBufferBudget: Shared parts do not stand for far more than the metadata's length.
const ruleFlatBufferBudget = "flatbuffer.budget"

// ruleFlatBufferAlignment: Numbers, offsets and elements are aligned.
const ruleFlatBufferAlignment = "flatbuffer.alignment"

// ruleFlatBufferOffset: An offset is not 0, and leads forward within the metadata.
const ruleFlatBufferOffset = "flatbuffer.offset"

// ruleFlatBufferDepth: Tables are not nested too deep.
const ruleFlatBufferDepth = "flatbuffer.depth"

// ruleFlatBufferVtable: A vtable has a valid length.
const ruleFlatBufferVtable = "flatbuffer.vtable"

// ruleFlatBufferTable: A table has a valid length.
const ruleFlatBufferTable = "flatbuffer.table"

// ruleFlatBufferRequired: A table has its required fields.
const ruleFlatBufferRequired = "flatbuffer.required"

// ruleFlatBufferField: A field lies within its table.
const ruleFlatBufferField = "flatbuffer.field"

// ruleFlatBufferBool: A bool is 0 or 1.
const ruleFlatBufferBool = "flatbuffer.bool"

// ruleFlatBufferString: A string ends with a zero byte.
const ruleFlatBufferString = "flatbuffer.string"

// ruleTextUtf8: Text is valid UTF-8.
const ruleTextUtf8 = "text.utf8"

// ruleIntegerSafe: An integer is at most 2^53 - 1 either way.
const ruleIntegerSafe = "integer.safe"

// ruleConfigJson: The config is JSON text.
const ruleConfigJson = "config.json"

// ruleMetricValue: A metric has a value.
const ruleMetricValue = "metric.value"

// ruleMetricUnique: A metric appears once.
const ruleMetricUnique = "metric.unique"

// ruleMetricName: A metric's name is valid.
const ruleMetricName = "metric.name"

// ruleAttributeUnique: A key appears once in its map.
const ruleAttributeUnique = "attribute.unique"

// ruleValueKind: A value holds what its kind says, and nothing else.
const ruleValueKind = "value.kind"

// ruleStateName: A state's name is valid, unique, and the one that its field requires.
const ruleStateName = "state.name"

// ruleTensorDtype: A tensor's dtype is one of the schema.
const ruleTensorDtype = "tensor.dtype"

// ruleTensorRank: A tensor does not have too many dimensions.
const ruleTensorRank = "tensor.rank"

// ruleTensorName: A tensor's name is valid.
const ruleTensorName = "tensor.name"

// ruleTensorUnique: A tensor's name appears once in its state.
const ruleTensorUnique = "tensor.unique"

// ruleTensorByteLength: A tensor has as many bytes as its dtype and shape imply.
const ruleTensorByteLength = "tensor.byte_length"

// ruleTensorOffset: A segment starts at the position that the preceding one implies.
const ruleTensorOffset = "tensor.offset"

// ruleTensorRange: A segment ends within the file.
const ruleTensorRange = "tensor.range"

// ruleTensorAlias: Tensors that share a segment agree on its length and checksum.
const ruleTensorAlias = "tensor.alias"

// ruleTensorData: A tensor's `data` leads to its segment if the file is a plain FlatBuffer, and is absent otherwise.
const ruleTensorData = "tensor.data"

// ruleFileLength: The file ends with its last segment.
const ruleFileLength = "file_length"

// ruleGap: The bytes before a segment are zero, except for its length.
const ruleGap = "gap"

// dtypes by their numbers in a file.
var dtypes = map[DType]dtypeRow{
	// IEEE 754 binary64.
	1: {"float64", 64, "float64"},
	// IEEE 754 binary32.
	2: {"float32", 32, "float32"},
	// IEEE 754 binary16.
	3: {"float16", 16, "uint16"},
	// The upper half of a binary32.
	4: {"bfloat16", 16, "uint16"},
	// OCP 8-bit float, finite.
	5: {"float8_e4m3fn", 8, "uint8"},
	// OCP 8-bit float.
	6: {"float8_e5m2", 8, "uint8"},
	// 8-bit float, finite, without a negative zero.
	7: {"float8_e4m3fnuz", 8, "uint8"},
	// 8-bit float, finite, without a negative zero.
	8: {"float8_e5m2fnuz", 8, "uint8"},
	// A power of two, eight bits of exponent: the scale of the OCP microscaling formats.
	9: {"float8_e8m0fnu", 8, "uint8"},
	// OCP microscaling float of 6 bits, packed.
	10: {"float6_e2m3fn", 6, "uint8"},
	// OCP microscaling float of 6 bits, packed.
	11: {"float6_e3m2fn", 6, "uint8"},
	// OCP microscaling float of 4 bits, packed.
	12: {"float4_e2m1fn", 4, "uint8"},
	// Two's complement integer.
	16: {"int8", 8, "int8"},
	// Two's complement integer.
	17: {"int16", 16, "int16"},
	// Two's complement integer.
	18: {"int32", 32, "int32"},
	// Two's complement integer.
	19: {"int64", 64, "int64"},
	// Unsigned integer.
	20: {"uint8", 8, "uint8"},
	// Unsigned integer.
	21: {"uint16", 16, "uint16"},
	// Unsigned integer.
	22: {"uint32", 32, "uint32"},
	// Unsigned integer.
	23: {"uint64", 64, "uint64"},
	// One byte an element: 0 is false, anything else is true (writers write 1).
	24: {"bool", 8, "uint8"},
	// Two float32 an element: the real part, then the imaginary one.
	25: {"complex64", 64, "complex64"},
	// Two float64 an element: the real part, then the imaginary one.
	26: {"complex128", 128, "complex128"},
	// Two's complement integer of 4 bits, packed.
	27: {"int4", 4, "uint8"},
	// Unsigned integer of 4 bits, packed.
	28: {"uint4", 4, "uint8"},
}

const identifier = "LWCK"

// tables of the schema, with their fields in the order of their slots.
var tables = map[string][]field{
	"Checkpoint": {
		{name: "version", slot: 4, kind: numberField, size: 4},
		{name: "metadata_length", slot: 6, kind: numberField, size: 4},
		{name: "metadata_crc32", slot: 8, kind: numberField, size: 4},
		{name: "file_length", slot: 10, kind: numberField, size: 8},
		{name: "epoch", slot: 12, kind: numberField, size: 8},
		{name: "step", slot: 14, kind: numberField, size: 8},
		{name: "loss", slot: 16, kind: numberField, size: 8},
		{name: "metrics", slot: 18, kind: tablesField, table: "Metric"},
		{name: "config", slot: 20, kind: stringField},
		{name: "model", slot: 22, required: true, kind: tableField, table: "State"},
		{name: "optimizer", slot: 24, kind: tableField, table: "State"},
		{name: "extras", slot: 26, kind: tablesField, table: "State"},
		{name: "sequence", slot: 28, kind: numberField, size: 8},
		{name: "saved_at", slot: 30, kind: numberField, size: 8},
	},
	"Entry": {
		{name: "key", slot: 4, required: true, kind: stringField},
		{name: "value", slot: 6, required: true, kind: tableField, table: "Value"},
	},
	"Metric": {
		{name: "name", slot: 4, required: true, kind: stringField},
		{name: "value", slot: 6, kind: numberField, size: 8},
	},
	"State": {
		{name: "name", slot: 4, required: true, kind: stringField},
		{name: "kind", slot: 6, kind: stringField},
		{name: "attributes", slot: 8, kind: tablesField, table: "Entry"},
		{name: "tensors", slot: 10, required: true, kind: tablesField, table: "Tensor"},
	},
	"Tensor": {
		{name: "name", slot: 4, required: true, kind: stringField},
		{name: "dtype", slot: 6, kind: numberField, size: 1},
		{name: "shape", slot: 8, required: true, kind: numbersField, size: 8},
		{name: "offset", slot: 10, kind: numberField, size: 8},
		{name: "byte_length", slot: 12, kind: numberField, size: 8},
		{name: "crc32", slot: 14, kind: numberField, size: 4},
		{name: "data", slot: 16, kind: segmentField, size: 1},
	},
	"Value": {
		{name: "kind", slot: 4, kind: numberField, size: 1},
		{name: "boolean", slot: 6, kind: boolField, size: 1},
		{name: "integer", slot: 8, kind: numberField, size: 8},
		{name: "uinteger", slot: 10, kind: numberField, size: 8},
		{name: "number", slot: 12, kind: numberField, size: 8},
		{name: "text", slot: 14, kind: stringField},
		{name: "list", slot: 16, kind: tablesField, table: "Value"},
		{name: "map", slot: 18, kind: tablesField, table: "Entry"},
	},
}
