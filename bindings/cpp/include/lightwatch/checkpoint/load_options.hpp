// Options for opening a checkpoint.

#ifndef LIGHTWATCH_CHECKPOINT_LOAD_OPTIONS_HPP
#define LIGHTWATCH_CHECKPOINT_LOAD_OPTIONS_HPP

namespace lightwatch {

struct LoadOptions {
  /// Whether the file may be mapped. Without a map its bytes are read on demand, and kept. Choose
  /// that for network file systems, and for files that other programs truncate in place.
  bool map = true;
  /// Whether a tensor's checksum, and the bytes before it, are verified before its bytes are first
  /// handed out. The metadata is always verified.
  bool verify = true;
};

}  // namespace lightwatch

#endif
