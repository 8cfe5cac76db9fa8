package checkpoint

type fieldKind int

const (
	numberField fieldKind = iota
	boolField
	stringField
	tableField
	// A vector whose bytes lie outside the metadata, in a segment.
	segmentField
	numbersField
	tablesField
)

// field of a table. size is that of a number or of a vector's numbers, in bytes.
type field struct {
	name     string
	slot     int64
	required bool
	kind     fieldKind
	size     int64
	table    string
}

func fieldSlot(table, name string) int64 {
	for _, f := range tables[table] {
		if f.name == name {
			return f.slot
		}
	}
	panic("the schema has no field " + table + "." + name)
}
