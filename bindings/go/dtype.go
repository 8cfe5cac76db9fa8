package checkpoint

// DType is the type of a tensor's elements, by its number in the file.
type DType uint8

var dtypes = map[DType]struct {
	name string
	bits int64
}{
	1: {"float64", 64}, 2: {"float32", 32}, 3: {"float16", 16}, 4: {"bfloat16", 16},
	5: {"float8_e4m3fn", 8}, 6: {"float8_e5m2", 8}, 7: {"float8_e4m3fnuz", 8},
	8: {"float8_e5m2fnuz", 8}, 9: {"float8_e8m0fnu", 8},
	10: {"float6_e2m3fn", 6}, 11: {"float6_e3m2fn", 6}, 12: {"float4_e2m1fn", 4},
	16: {"int8", 8}, 17: {"int16", 16}, 18: {"int32", 32}, 19: {"int64", 64},
	20: {"uint8", 8}, 21: {"uint16", 16}, 22: {"uint32", 32}, 23: {"uint64", 64},
	24: {"bool", 8}, 25: {"complex64", 64}, 26: {"complex128", 128},
}

// String returns the name, as PyTorch and ml_dtypes have it.
func (d DType) String() string { return dtypes[d].name }

// Largest integer that every reader holds exactly.
const maxSafe = 1<<53 - 1

// tensorByteLength returns the bytes that a tensor takes; false where they are beyond 2^53 - 1 or
// no whole number. A huge dimension cannot hide behind a zero.
func tensorByteLength(dtype DType, shape []int64) (int64, bool) {
	count, empty := int64(1), false
	for _, n := range shape {
		if n == 0 {
			empty = true
		} else if count > maxSafe/n {
			return 0, false
		} else {
			count *= n
		}
	}
	if empty {
		return 0, true
	}
	bits := dtypes[dtype].bits
	if bits%8 == 0 {
		return count * (bits / 8), count <= maxSafe/(bits/8)
	}
	return count * bits / 8, count <= maxSafe/bits && count*bits%8 == 0
}
