package checkpoint

// DType is the type of a tensor's elements, by its number in the file.
type DType uint8

type dtypeRow struct {
	name string
	bits int64
	// The Go type that elements, or their bits, are viewed as.
	element string
}

// String returns the name, as in PyTorch and ml_dtypes.
func (d DType) String() string { return dtypes[d].name }

// tensorByteLength returns the bytes that a tensor takes. False if they exceed 2^53 - 1 or are not a whole
// number. A zero must not hide a huge dimension.
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
