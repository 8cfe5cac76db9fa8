package checkpoint

// DType is the type of a tensor's elements, by its number in the file.
type DType uint8

type dtypeRow struct {
	name string
	bits int64
	// The type of Go that elements, or their bits, are viewed as.
	element string
}

// String returns the name, as PyTorch and ml_dtypes have it.
func (d DType) String() string { return dtypes[d].name }

// tensorByteLength returns the bytes that a tensor takes; false where they are beyond 2^53 - 1 or
// no whole number. A huge dimension cannot hide behind a zero.
func tensorByteLength(dtype DType, shape []int64) (int64, bool) {
	count, empty := int64(1), false
	for _, n := range shape {
		if n == 0 {
			empty = true
		} else if count > maxSafeInteger/n {
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
		return count * (bits / 8), count <= maxSafeInteger/(bits/8)
	}
	return count * bits / 8, count <= maxSafeInteger/bits && count*bits%8 == 0
}
