// What the C++ verifier says of buffers: the one that FlatBuffers' own generated code comes with.
//
// Reads records from standard input until it ends: the number of a schema (one byte), the length of a
// buffer (a uint32, little-endian), the buffer. Answers each with one byte: '1' for a buffer that
// the verifier accepts, '0' for one that it refuses. The schema 255 asks for the answers so far.

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "checkpoint_generated.h"
#include "every_generated.h"
#include "metadata_generated.h"

namespace {

bool accepts(uint8_t schema, const uint8_t *buffer, size_t length) {
  flatbuffers::Verifier verifier(buffer, length);
  switch (schema) {
    case 0:
      return lightwatch::format::VerifyCheckpointBuffer(verifier);
    case 1:
      return lightwatch::metadata::VerifyCheckpointBuffer(verifier);
    case 2:
      return every::construct::VerifyRootBuffer(verifier);
  }
  std::fprintf(stderr, "there is no schema %d\n", schema);
  std::exit(2);
}

bool read_all(void *target, size_t length) {
  return std::fread(target, 1, length, stdin) == length;
}

}  // namespace

int main() {
  static char input[1 << 20];
  std::setvbuf(stdin, input, _IOFBF, sizeof input);
  uint8_t header[5];
  while (read_all(header, sizeof header)) {
    if (header[0] == 255) {
      std::fflush(stdout);
      continue;
    }
    const size_t length = header[1] | header[2] << 8 | header[3] << 16 |
                          static_cast<size_t>(header[4]) << 24;
    // Memory of its own, so that a sanitizer would see a read beyond it.
    auto *buffer = static_cast<uint8_t *>(std::malloc(length == 0 ? 1 : length));
    if (buffer == nullptr || !read_all(buffer, length)) return 1;
    std::putchar(accepts(header[0], buffer, length) ? '1' : '0');
    std::free(buffer);
  }
  std::fflush(stdout);
  return 0;
}
