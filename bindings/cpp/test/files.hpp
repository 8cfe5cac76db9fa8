// Files for the tests: those of the repository, and a folder for the files of a test.

#ifndef LIGHTWATCH_TEST_FILES_HPP
#define LIGHTWATCH_TEST_FILES_HPP

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ios>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

using Bytes = std::vector<std::uint8_t>;

inline std::filesystem::path repository(const std::string &path) {
  return std::filesystem::path(LIGHTWATCH_REPOSITORY) / path;
}

inline std::string golden_path() { return repository("test/golden/v1.ckpt"); }

/// A file or folder of the conformance tests.
inline std::filesystem::path corpus(const std::string &path) {
  const char *other = std::getenv("LIGHTWATCH_CORPUS");
  return (other == nullptr ? repository("test/conformance") : std::filesystem::path(other)) / path;
}

inline std::string read_text(const std::filesystem::path &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot be read: " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

inline Bytes read_bytes(const std::filesystem::path &path) {
  const std::string text = read_text(path);
  return Bytes(text.begin(), text.end());
}

inline void write_bytes(const std::filesystem::path &path, const Bytes &bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char *>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw std::runtime_error("cannot be written: " + path.string());
}

/// A new folder, removed with this object.
class Scratch {
 public:
  Scratch() {
    std::string pattern = std::filesystem::temp_directory_path() / "lightwatch-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder: " + pattern);
    folder_ = pattern;
  }
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string path(const std::string &name) const { return folder_ / name; }

  std::string file(const std::string &name, const Bytes &bytes) const {
    write_bytes(path(name), bytes);
    return path(name);
  }

 private:
  std::filesystem::path folder_;
};

#endif
