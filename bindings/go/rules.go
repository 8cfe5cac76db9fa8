package checkpoint

import (
	"fmt"
	"strings"
	"sync"
)

// segment holds the bytes of one tensor, or of several over the same memory.
type segment struct {
	gapStart, offset, length int64
	crc                      uint32
	// The first tensor over it, for messages.
	tensor string

	mutex   sync.Mutex
	checked bool
	copied  []byte
}

// segmentStart is the position of a segment if what precedes it ends at end.
func segmentStart(end int64) int64 {
	return (end + lengthBytes + segmentAlignment - 1) / segmentAlignment * segmentAlignment
}

func nameFault(name string) string {
	switch {
	case name == "":
		return "is empty"
	case strings.ContainsRune(name, 0):
		return "contains U+0000"
	case len(name) > maxNameBytes:
		return fmt.Sprintf("is longer than %d bytes", maxNameBytes)
	}
	return ""
}

// checkRules validates what the values mean for each other, and gives every tensor its segment. The rules
// explain every byte of a file.
func (c *Checkpoint) checkRules() error {
	if err := c.checkNames(); err != nil {
		return err
	}
	plain := c.FileLength < flatBufferLimit
	segments := map[int64]*segment{}
	end := c.MetadataLength
	for _, state := range c.States() {
		for _, t := range state.Tensors {
			name := quote(t.Name)
			if fault := nameFault(t.Name); fault != "" {
				return failure(CodeFormat, ruleTensorName, "a tensor's name, %s, %s", name, fault)
			}
			if state.byName[t.Name] != nil {
				return failure(CodeFormat, ruleTensorUnique, "the tensor %s appears twice", name)
			}
			state.byName[t.Name] = t
			expected, ok := tensorByteLength(t.DType, t.Shape)
			if !ok || expected != t.ByteLength {
				return failure(CodeFormat, ruleTensorByteLength, "%s has %d bytes, which is not what %s %v takes", name, t.ByteLength, t.DType, t.Shape)
			}
			s := segments[t.offset]
			if s == nil {
				if start := segmentStart(end); t.offset != start {
					return failure(CodeFormat, ruleTensorOffset, "%s is at byte %d: expected %d", name, t.offset, start)
				}
				s = &segment{gapStart: end, offset: t.offset, length: t.ByteLength, crc: t.crc, tensor: t.Name}
				segments[t.offset] = s
				c.segments = append(c.segments, s)
				if end = t.offset + t.ByteLength; end > c.FileLength {
					return failure(CodeFormat, ruleTensorRange, "%s reaches to byte %d, beyond the end of the file at %d", name, end, c.FileLength)
				}
			} else if s.length != t.ByteLength || s.crc != t.crc {
				return failure(CodeFormat, ruleTensorAlias, "%s shares its place with a tensor of another length or checksum", name)
			}
			if t.hasVector != plain || plain && t.vector != t.offset-lengthBytes {
				return failure(CodeFormat, ruleTensorData, "the data of %s disagrees with its offset or the file's length", name)
			}
			t.segment, t.checkpoint = s, c
		}
	}
	if end != c.FileLength {
		return failure(CodeFormat, ruleFileLength, "the file has %d bytes after its last segment", c.FileLength-end)
	}
	return nil
}

func (c *Checkpoint) checkNames() error {
	if c.Model.Name != "model" {
		return failure(CodeFormat, ruleStateName, "the model's state is called %s", quote(c.Model.Name))
	}
	if c.Optimizer != nil && c.Optimizer.Name != "optimizer" {
		return failure(CodeFormat, ruleStateName, "the optimizer's state is called %s", quote(c.Optimizer.Name))
	}
	taken := map[string]bool{"model": true, "optimizer": true}
	for _, extra := range c.Extras {
		fault := nameFault(extra.Name)
		if taken[extra.Name] {
			fault = "is taken"
		}
		if fault != "" {
			return failure(CodeFormat, ruleStateName, "an extra's name, %s, %s", quote(extra.Name), fault)
		}
		taken[extra.Name] = true
	}
	for _, metric := range c.Metrics {
		if fault := nameFault(metric.Name); fault != "" {
			return failure(CodeFormat, ruleMetricName, "a metric's name, %s, %s", quote(metric.Name), fault)
		}
	}
	return nil
}
