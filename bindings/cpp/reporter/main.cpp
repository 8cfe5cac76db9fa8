// Reports the contents of files, for the conformance tests: reads paths from standard input, one
// per line, and prints a line of JSON for each. test/conformance/README.md describes the JSON.
//
//   --read               reads files instead of mapping them
//   --flatbuffers-only   runs only the verifier that flatc generates, over the whole file:
//                        {"accepted":true} or {"accepted":false}

#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

#include "report.hpp"

namespace {

/// Whether FlatBuffers accepts the file as a checkpoint. It rejects every file of 2^31 - 1 bytes or
/// more.
bool is_flatbuffer(const std::string &path) {
  try {
    const lightwatch::detail::RegularFile file(path);
    if (!lightwatch::detail::is_plain_flatbuffer(file.size())) return false;
    const auto length = static_cast<std::size_t>(file.size());
    // Aligned for every number in it.
    const std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[length]);
    file.read(bytes.get(), length, 0);
    return lightwatch::detail::passes_flatbuffers(bytes.get(), length, length);
  } catch (const lightwatch::CheckpointError &) {
    return false;
  }
}

}  // namespace

int main(int count, char **arguments) {
  lightwatch::LoadOptions options;
  bool flatbuffers_only = false;
  for (int i = 1; i < count; i++) {
    const std::string_view argument = arguments[i];
    if (argument == "--read") {
      options.map = false;
    } else if (argument == "--flatbuffers-only") {
      flatbuffers_only = true;
    } else {
      std::cerr << "usage: reporter [--read] [--flatbuffers-only] < PATHS\n";
      return 2;
    }
  }
  std::string path;
  while (std::getline(std::cin, path)) {
    if (flatbuffers_only) {
      std::cout << (is_flatbuffer(path) ? "{\"accepted\":true}" : "{\"accepted\":false}");
    } else {
      std::cout << reporter::report(path, options);
    }
    std::cout << std::endl;
  }
  return std::cout ? 0 : 1;
}
