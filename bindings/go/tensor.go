package checkpoint

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"unsafe"
)

// Bytes that Verify reads at once if the file is not mapped.
const sliceLength = 1 << 20

// Tensor describes a tensor of an open checkpoint.
type Tensor struct {
	Name       string
	DType      DType
	Shape      []int64 // elements in each dimension, outermost first; empty for a scalar
	ByteLength int64

	offset, vector int64
	hasVector      bool
	crc            uint32
	segment        *segment
	checkpoint     *Checkpoint
}

// Bytes returns the tensor's bytes, row-major, verified the first time. They are read-only memory of the
// mapped file until Close: a write to them crashes. Tied tensors share them.
func (t *Tensor) Bytes() ([]byte, error) {
	c, s := t.checkpoint, t.segment
	c.mutex.RLock()
	defer c.mutex.RUnlock()
	if c.closed {
		return nil, failure(CodeClosed, "", "the checkpoint was closed")
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	bytes := s.copied
	if c.mapped != nil {
		bytes = c.mapped[s.offset : s.offset+s.length : s.offset+s.length]
	} else if bytes == nil {
		if s.length > math.MaxInt-8 {
			return nil, failure(CodeTensorTooLarge, "", "%s has %d bytes, more than memory holds", quote(s.tensor), s.length)
		}
		// Words, so that every element type is aligned.
		words := make([]uint64, (s.length+7)/8+1)
		bytes = unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), s.length)
		if err := readAt(c.file, bytes, s.offset); err != nil {
			return nil, err
		}
	}
	if !c.unchecked && !s.checked {
		if err := c.checkGap(s); err != nil {
			return nil, err
		}
		if err := s.compare(crc32.ChecksumIEEE(bytes)); err != nil {
			return nil, err
		}
		s.checked = true
	}
	if c.mapped == nil {
		s.copied = bytes
	}
	return bytes, nil
}

// Verify verifies the whole file: the bytes before each tensor, and its checksum.
func (c *Checkpoint) Verify() error {
	c.mutex.RLock()
	defer c.mutex.RUnlock()
	if c.closed {
		return failure(CodeClosed, "", "the checkpoint was closed")
	}
	var buffer []byte
	for _, s := range c.segments {
		if err := c.checkGap(s); err != nil {
			return err
		}
		crc := uint32(0)
		if c.mapped != nil {
			crc = crc32.ChecksumIEEE(c.mapped[s.offset : s.offset+s.length])
		} else {
			if buffer == nil {
				buffer = make([]byte, sliceLength)
			}
			for done := int64(0); done < s.length; {
				slice := buffer[:min64(sliceLength, s.length-done)]
				if err := readAt(c.file, slice, s.offset+done); err != nil {
					return err
				}
				crc = crc32.Update(crc, crc32.IEEETable, slice)
				done += int64(len(slice))
			}
		}
		if err := s.compare(crc); err != nil {
			return err
		}
	}
	return nil
}

func (s *segment) compare(actual uint32) error {
	if actual == s.crc {
		return nil
	}
	return failure(CodeTensorChecksum, "", "the bytes of %s are damaged: checksum mismatch, expected %08x, found %08x", quote(s.tensor), s.crc, actual)
}

// checkGap verifies zeros, and in the last four bytes the length if the file is a plain FlatBuffer.
func (c *Checkpoint) checkGap(s *segment) error {
	gap := make([]byte, s.offset-s.gapStart)
	if c.mapped != nil {
		copy(gap, c.mapped[s.gapStart:s.offset])
	} else if err := readAt(c.file, gap, s.gapStart); err != nil {
		return err
	}
	expected := make([]byte, len(gap))
	if c.FileLength < flatBufferLimit {
		binary.LittleEndian.PutUint32(expected[len(gap)-lengthBytes:], uint32(s.length))
	}
	for i := range gap {
		if gap[i] != expected[i] {
			return failure(CodeFormat, ruleGap, "the bytes before %s are damaged, at byte %d", quote(s.tensor), s.gapStart+int64(i))
		}
	}
	return nil
}

// Element is a type that elements are viewed as.
type Element interface {
	float64 | float32 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | complex64 | complex128
}

// Slice returns the elements without a copy, under the terms of Bytes. Element types are those of the dtypes.
// float16 and bfloat16 are viewed as uint16, narrower dtypes (packed) and bool as uint8.
func Slice[T Element](t *Tensor) ([]T, error) {
	var zero T
	if want := dtypes[t.DType].element; want != elementName(zero) {
		return nil, failure(CodeStateMismatch, "", "%s is %s, which is viewed as %s, not %s", quote(t.Name), t.DType, want, elementName(zero))
	}
	bytes, err := t.Bytes()
	if err != nil || len(bytes) == 0 {
		return nil, err
	}
	pointer := unsafe.Pointer(&bytes[0])
	if uintptr(pointer)%unsafe.Alignof(zero) != 0 {
		return nil, failure(CodeRead, "", "the memory of %s is not aligned", quote(t.Name))
	}
	return unsafe.Slice((*T)(pointer), uintptr(len(bytes))/unsafe.Sizeof(zero)), nil
}

func elementName(zero any) string {
	switch zero.(type) {
	case float64:
		return "float64"
	case float32:
		return "float32"
	case int8:
		return "int8"
	case int16:
		return "int16"
	case int32:
		return "int32"
	case int64:
		return "int64"
	case uint8:
		return "uint8"
	case uint16:
		return "uint16"
	case uint32:
		return "uint32"
	case uint64:
		return "uint64"
	case complex64:
		return "complex64"
	}
	return "complex128"
}

// Offset returns the position of the tensor's bytes, in bytes from the start of the file.
func (t *Tensor) Offset() int64 { return t.offset }
