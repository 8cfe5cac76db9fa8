// Package checkpoint reads .ckpt files: training state in one verified, memory-mapped file.
package checkpoint

import (
	"errors"
	"io"
	"os"
	"sync"
	"unsafe"
)

// Checkpoint is an open file. Its methods may be called from several goroutines at once.
//
// Views of its tensors lie in the mapped file and end with Close. Reading one afterwards crashes the program,
// and so does reading one after another program has truncated the file (SIGBUS). Use WithoutMap for files
// that other programs may change.
type Checkpoint struct {
	Version        uint32
	MetadataLength int64 // in bytes
	FileLength     int64 // in bytes
	Epoch          int64
	Step           int64    // optimizer steps taken
	Loss           *float64 // nil if there is none yet
	Metrics        []Metric // in the order of the file
	Config         *string  // JSON text, or nil
	Sequence       *int64   // position in the order of its run's saves, or nil
	SavedAt        *int64   // time of the save, in milliseconds since 1970, or nil
	Model          *State
	Optimizer      *State   // nil if there is none
	Extras         []*State // in the order of the file

	segments  []*segment
	unchecked bool

	// Held for reading while bytes are used, and for writing by Close.
	mutex  sync.RWMutex
	file   *os.File
	mapped []byte
	closed bool
}

// State is the state of one object with a state dict.
type State struct {
	Name       string
	Kind       *string // the class of the object ("AdamW"), or nil
	Attributes Map
	Tensors    []*Tensor // in the order of the state dict

	byName map[string]*Tensor
}

// Tensor returns the tensor of that name, or nil.
func (s *State) Tensor(name string) *Tensor { return s.byName[name] }

// Option changes how Open reads.
type Option func(*options)

type options struct{ noMap, unchecked bool }

// WithoutMap reads tensors into the program's memory when they are first used. They stay valid after Close,
// and a truncated file is an error instead of a crash.
func WithoutMap() Option { return func(o *options) { o.noMap = true } }

// WithoutTensorChecks hands out tensors without verifying their checksums and the bytes before them. Verify
// still verifies them.
func WithoutTensorChecks() Option { return func(o *options) { o.unchecked = true } }

// Open opens a checkpoint and verifies all of its metadata. Tensors are verified when their bytes are first
// used. Every error is an *Error.
func Open(path string, opts ...Option) (*Checkpoint, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	if probe := uint16(1); *(*byte)(unsafe.Pointer(&probe)) != 1 {
		return nil, failure(CodeBigEndian, "", "expected a little-endian machine, found a big-endian one")
	}
	c, err := open(path, o)
	var e *Error
	if errors.As(err, &e) {
		e.Message = quote(path) + ": " + e.Message
	}
	return c, err
}

func open(path string, o options) (*Checkpoint, error) {
	file, err := os.OpenFile(path, openFlags, 0)
	if err != nil {
		return nil, readFailure(err)
	}
	c, err := openFile(file, o)
	if err != nil {
		file.Close()
		return nil, err
	}
	return c, nil
}

func openFile(file *os.File, o options) (*Checkpoint, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, readFailure(err)
	}
	if !info.Mode().IsRegular() {
		return nil, failure(CodeRead, "", "expected a regular file")
	}
	c, err := parse(file, info.Size())
	if err != nil {
		return nil, err
	}
	c.file, c.unchecked = file, o.unchecked
	if !o.noMap {
		if c.mapped, err = mapFile(file, c.FileLength); err != nil {
			return nil, readFailure(err)
		}
	}
	return c, nil
}

// parse reads the metadata into the package's own memory, which no other code changes after verification.
func parse(source io.ReaderAt, size int64) (*Checkpoint, error) {
	start := make([]byte, min64(headLength, size))
	if err := readAt(source, start, 0); err != nil {
		return nil, err
	}
	h, err := readHead(start, size)
	if err != nil {
		return nil, err
	}
	metadata := start
	if h.metadataLength > int64(len(start)) {
		metadata = make([]byte, h.metadataLength)
		// The start is not read again, because another process could have changed it.
		n := copy(metadata, start)
		if err := readAt(source, metadata[n:], int64(n)); err != nil {
			return nil, err
		}
	}
	metadata = metadata[:h.metadataLength]
	if actual := metadataChecksum(metadata, h.crcOffset); actual != h.metadataCRC {
		return nil, failure(CodeMetadataChecksum, "", "the metadata is damaged: checksum mismatch, found %08x, expected %08x", actual, h.metadataCRC)
	}
	if err := verifyFlatBuffer(metadata); err != nil {
		return nil, err
	}
	c, err := decode(metadata)
	if err != nil {
		return nil, err
	}
	if err := c.checkRules(); err != nil {
		return nil, err
	}
	return c, nil
}

func min64(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}

func readFailure(cause error) *Error {
	e := failure(CodeRead, "", "the file cannot be read: %s", quote(cause.Error()))
	e.Cause = cause
	return e
}

func readAt(source io.ReaderAt, target []byte, offset int64) error {
	n, err := source.ReadAt(target, offset)
	if n == len(target) {
		return nil
	}
	if err == io.EOF {
		return failure(CodeFileChanged, "", "the file was truncated to %d bytes while it was being read", offset+int64(n))
	}
	return readFailure(err)
}

// States returns the model, the optimizer if there is one, and the extras.
func (c *Checkpoint) States() []*State {
	states := []*State{c.Model}
	if c.Optimizer != nil {
		states = append(states, c.Optimizer)
	}
	return append(states, c.Extras...)
}

// Close unmaps and closes the file; mapped views are invalid from then on. It waits for calls under way. A
// second Close does nothing.
func (c *Checkpoint) Close() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	var unmapped error
	if c.mapped != nil {
		unmapped = unmapFile(c.mapped)
		c.mapped = nil
	}
	if err := errors.Join(unmapped, c.file.Close()); err != nil {
		return readFailure(err)
	}
	return nil
}
