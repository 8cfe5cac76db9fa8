package checkpoint

import "encoding/binary"

// verification of metadata as a FlatBuffer, so that no generated accessor can read outside it.
type verification struct {
	bytes  []byte
	length int64
	budget int64
	depth  int
}

// verifyFlatBuffer returns CKPT_FLATBUFFER with the broken rule.
func verifyFlatBuffer(metadata []byte) error {
	n := int64(len(metadata))
	// Shared tables are legal, and let a small buffer stand for an enormous tree. So every visited range counts
	// towards a budget, shared or not.
	v := &verification{bytes: metadata, length: n, budget: budgetPerByte*n + budgetBase}
	if n < minBufferLength || n >= flatBufferLimit {
		return unsound(ruleFlatBufferLength, 0, "it is %d bytes long", n)
	}
	if string(metadata[4:8]) != identifier {
		return unsound(ruleFlatBufferIdentifier, 4, "its identifier is not %s", identifier)
	}
	root, err := v.offset(0, "the root")
	if err != nil {
		return err
	}
	return v.table(root, "Checkpoint")
}

func unsound(rule string, at int64, format string, arguments ...any) error {
	e := failure(CodeFlatBuffer, rule, format, arguments...)
	return failure(e.Code, e.Rule, "the metadata is not a valid FlatBuffer: %s (at byte %d)", e.Message, at)
}

func (v *verification) u16(at int64) int64 { return int64(binary.LittleEndian.Uint16(v.bytes[at:])) }
func (v *verification) u32(at int64) int64 { return int64(binary.LittleEndian.Uint32(v.bytes[at:])) }

// span verifies that length bytes at at lie in the buffer. As in C++, a length equal to the buffer's fails.
func (v *verification) span(at, length int64, what string) error {
	if !(at >= 0 && length < v.length && at <= v.length-length) {
		return unsound(ruleFlatBufferRange, at, "%s of %d bytes reaches outside the buffer", what, length)
	}
	if v.budget -= length; v.budget < 0 {
		return unsound(ruleFlatBufferBudget, at, "it stands for far more than its %d bytes", v.length)
	}
	return nil
}

func (v *verification) inline(at, size, align int64, what string) error {
	if at%align != 0 {
		return unsound(ruleFlatBufferAlignment, at, "%s is not aligned to %d bytes", what, align)
	}
	return v.span(at, size, what)
}

// offset verifies the offset at at, and returns the position that it leads to.
func (v *verification) offset(at int64, what string) (int64, error) {
	if err := v.inline(at, 4, 4, what); err != nil {
		return 0, err
	}
	offset := v.u32(at)
	if offset == 0 {
		return 0, unsound(ruleFlatBufferOffset, at, "%s has a null offset", what)
	}
	if offset > 0x7fffffff || at+offset >= v.length {
		return 0, unsound(ruleFlatBufferOffset, at, "the offset of %s leads outside the buffer", what)
	}
	return at + offset, nil
}

func (v *verification) table(at int64, name string) error {
	if err := v.inline(at, 4, 4, name); err != nil {
		return err
	}
	if v.depth++; v.depth > maxDepth {
		return unsound(ruleFlatBufferDepth, at, "it has tables nested more than %d deep", maxDepth)
	}
	vtable := at - int64(int32(v.u32(at)))
	if err := v.inline(vtable, 4, 2, "a vtable"); err != nil {
		return err
	}
	vtableLength, tableLength := v.u16(vtable), v.u16(vtable+2)
	if vtableLength < 4 || vtableLength > maxVtableNumber || vtableLength%2 != 0 {
		return unsound(ruleFlatBufferVtable, vtable, "the vtable of %s has a length of %d", name, vtableLength)
	}
	if err := v.span(vtable, vtableLength, "a vtable"); err != nil {
		return err
	}
	if tableLength < 4 {
		return unsound(ruleFlatBufferTable, vtable+2, "%s has a length of %d", name, tableLength)
	}
	if err := v.span(at, tableLength, name); err != nil {
		return err
	}
	fields := tables[name]
	for i := range fields {
		f := &fields[i]
		entry := int64(0)
		if f.slot < vtableLength {
			entry = v.u16(vtable + f.slot)
		}
		if entry == 0 {
			if f.required {
				return unsound(ruleFlatBufferRequired, at, "%s lacks its required field %s", name, f.name)
			}
			continue
		}
		if err := v.field(f, at, entry, tableLength, name); err != nil {
			return err
		}
	}
	v.depth--
	return nil
}

func (v *verification) field(f *field, table, entry, tableLength int64, name string) error {
	size := int64(4)
	if f.kind == numberField || f.kind == boolField {
		size = f.size
	}
	if entry < 4 || entry > maxVtableNumber || entry+size > tableLength {
		return unsound(ruleFlatBufferField, table, "%s.%s lies outside its table", name, f.name)
	}
	at := table + entry
	switch f.kind {
	case numberField, boolField:
		if err := v.inline(at, size, size, f.name); err != nil {
			return err
		}
		if f.kind == boolField && v.bytes[at] > 1 {
			return unsound(ruleFlatBufferBool, at, "%s.%s is neither 0 nor 1", name, f.name)
		}
		return nil
	case segmentField:
		// Its elements lie beyond the metadata; the format's own rules place them.
		return v.inline(at, 4, 4, f.name)
	}
	target, err := v.offset(at, f.name)
	if err != nil {
		return err
	}
	switch f.kind {
	case stringField:
		return v.text(target, f.name)
	case tableField:
		return v.table(target, f.table)
	case numbersField:
		_, err = v.numbers(target, f.size, f.name)
		return err
	}
	length, err := v.vectorLength(target, 4, f.name)
	if err != nil {
		return err
	}
	for i := int64(0); i < length; i++ {
		element, err := v.offset(target+4+4*i, f.name)
		if err != nil {
			return err
		}
		if err := v.table(element, f.table); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) text(at int64, what string) error {
	end, err := v.numbers(at, 1, what)
	if err != nil {
		return err
	}
	if err := v.span(end, 1, what); err != nil {
		return err
	}
	if v.bytes[end] != 0 {
		return unsound(ruleFlatBufferString, end, "%s does not end with a zero byte", what)
	}
	return nil
}

// numbers verifies a vector of numbers, and returns the position of its end.
func (v *verification) numbers(at, size int64, what string) (int64, error) {
	length, err := v.vectorLength(at, size, what)
	if err != nil {
		return 0, err
	}
	if length > 0 && (at+4)%size != 0 {
		return 0, unsound(ruleFlatBufferAlignment, at+4, "the elements of %s are not aligned to %d bytes", what, size)
	}
	return at + 4 + length*size, nil
}

func (v *verification) vectorLength(at, size int64, what string) (int64, error) {
	if err := v.inline(at, 4, 4, what); err != nil {
		return 0, err
	}
	length := v.u32(at)
	if length*size >= flatBufferLimit {
		return 0, unsound(ruleFlatBufferLength, at, "%s has %d elements", what, length)
	}
	return length, v.span(at, 4+length*size, what)
}
