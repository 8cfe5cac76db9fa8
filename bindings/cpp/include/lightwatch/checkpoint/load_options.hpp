// How a checkpoint is to be opened.

#ifndef LIGHTWATCH_CHECKPOINT_LOAD_OPTIONS_HPP
#define LIGHTWATCH_CHECKPOINT_LOAD_OPTIONS_HPP

namespace lightwatch {

struct LoadOptions {
  /// Whether the file may be mapped. Without a map its bytes are read when they are first asked
  /// for, and kept: right for network file systems, and for files that others truncate in place.
  bool map = true;
  /// Whether a tensor's checksum, and the bytes before it, are checked before its bytes are handed
  /// out the first time. The metadata is checked in any case.
  bool verify = true;
};

}  // namespace lightwatch

#endif
