package checkpoint

import (
	"encoding/binary"
	"hash/crc32"
)

type head struct {
	version        uint32
	metadataLength int64
	metadataCRC    uint32
	crcOffset      int64
}

// readHead validates the first bytes (at most headLength) of a file of fileLength bytes.
func readHead(start []byte, fileLength int64) (head, error) {
	var h head
	if len(start) < 8 || string(start[4:8]) != identifier {
		return h, failure(CodeNotACheckpoint, "", "not a .ckpt file: expected %s at byte 4", identifier)
	}
	if fileLength < minBufferLength {
		return h, failure(CodeFileLength, "", "the file was cut short: it ends after %d bytes", fileLength)
	}
	length := int64(len(start))
	within := func(at, n int64) bool { return at >= 0 && at+n <= length }
	// An inconsistent head means a file that was cut short, if the file is short; otherwise a damaged one.
	bad := func(what string) error {
		if fileLength < headLength {
			return failure(CodeFileLength, ruleHead, "the file was cut short or is damaged: %s does not lie within its %d bytes", what, fileLength)
		}
		return failure(CodeFormat, ruleHead, "%s does not lie within the first %d bytes of the file", what, headLength)
	}
	le := binary.LittleEndian
	root := int64(le.Uint32(start))
	if root < 8 || root%4 != 0 || !within(root, 4) {
		return h, bad("the root table")
	}
	vtable := root - int64(int32(le.Uint32(start[root:])))
	if vtable < 8 || vtable%2 != 0 || !within(vtable, 4) {
		return h, bad("its vtable")
	}
	vtableLength := int64(le.Uint16(start[vtable:]))
	if !within(vtable, vtableLength) {
		return h, bad("its vtable")
	}
	position := func(name string, size int64) (int64, error) {
		slot, entry := fieldSlot("Checkpoint", name), int64(0)
		if slot+2 <= vtableLength {
			entry = int64(le.Uint16(start[vtable+slot:]))
		}
		at := root + entry
		if entry < 4 || at%size != 0 {
			return 0, failure(CodeFormat, ruleHead, "the root table has no %s", name)
		}
		if !within(at, size) {
			return 0, bad(name)
		}
		return at, nil
	}

	at, err := position("version", 4)
	if err != nil {
		return h, err
	}
	h.version = le.Uint32(start[at:])
	if h.version > FormatVersion {
		return h, failure(CodeVersion, "", "the file has format version %d, and this package reads up to version %d", h.version, FormatVersion)
	}
	if h.version == 0 {
		return h, failure(CodeFormat, ruleVersion, "the file has format version 0, which does not exist")
	}
	if at, err = position("file_length", 8); err != nil {
		return h, err
	}
	if declared := le.Uint64(start[at:]); declared != uint64(fileLength) {
		return h, failure(CodeFileLength, "", "the file was cut short or has something appended to it: expected %d bytes, found %d", declared, fileLength)
	}
	if at, err = position("metadata_length", 4); err != nil {
		return h, err
	}
	h.metadataLength = int64(le.Uint32(start[at:]))
	// The verifier would refuse longer metadata too, but only after all of it had been read.
	longest := fileLength
	if longest > flatBufferLimit-1 {
		longest = flatBufferLimit - 1
	}
	if h.metadataLength < minBufferLength || h.metadataLength > longest {
		return h, failure(CodeFormat, ruleMetadataLength, "the metadata claims %d bytes, in a file of %d bytes", h.metadataLength, fileLength)
	}
	if h.crcOffset, err = position("metadata_crc32", 4); err != nil {
		return h, err
	}
	h.metadataCRC = le.Uint32(start[h.crcOffset:])
	if h.crcOffset+4 > h.metadataLength {
		return h, failure(CodeFormat, ruleMetadataLength, "the checksum of the metadata lies outside the metadata")
	}
	return h, nil
}

// metadataChecksum takes the four bytes at crcOffset as zero.
func metadataChecksum(metadata []byte, crcOffset int64) uint32 {
	crc := crc32.ChecksumIEEE(metadata[:crcOffset])
	crc = crc32.Update(crc, crc32.IEEETable, make([]byte, 4))
	return crc32.Update(crc, crc32.IEEETable, metadata[crcOffset+4:])
}
