// A file as memory: every byte of it has an address.
//
// If it is mapped, this is the file itself. Otherwise it is address space of the same size, filled
// with what is read; untouched parts take no memory. Either way the metadata is a separate copy,
// which no other code changes after verification.

#ifndef LIGHTWATCH_CHECKPOINT_FILE_IMAGE_HPP
#define LIGHTWATCH_CHECKPOINT_FILE_IMAGE_HPP

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <system_error>
#include <utility>

#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/regular_file.hpp"
#include "lightwatch/checkpoint/span.hpp"

namespace lightwatch {
namespace detail {

// Linux would refuse address space for a file of more than the machine's memory, although it is
// never written to.
#ifdef MAP_NORESERVE
constexpr int no_reserve = MAP_NORESERVE;
#else
constexpr int no_reserve = 0;
#endif

class FileImage {
 public:
  /// Of a file that is not empty, mapped where `map` says so and the file system can. `metadata` is
  /// what the file starts with, checked; it is copied. Throws CKPT_TENSOR_TOO_LARGE where there is
  /// not enough address space, CKPT_READ where the system refuses.
  FileImage(RegularFile file, bool map, Span<const std::uint8_t> metadata)
      : file_(std::move(file)), size_(file_.size()) {
    if (size_ > std::numeric_limits<std::size_t>::max()) too_large();
    if (map) {
      address_ = ::mmap(nullptr, length(), PROT_READ, MAP_PRIVATE | no_reserve, file_.descriptor(), 0);
      mapped_ = address_ != MAP_FAILED;
    }
    if (!mapped_) {
      address_ = ::mmap(nullptr, length(), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | no_reserve, -1, 0);
      if (address_ == MAP_FAILED) too_large();
#ifdef MADV_NOHUGEPAGE
      // Otherwise the few bytes before each tensor, which are read first, could take 2 MiB each.
      ::madvise(address_, length(), MADV_NOHUGEPAGE);
#endif
    }
    try {
      install(metadata);
    } catch (...) {
      ::munmap(address_, length());
      throw;
    }
    // The map stays without it.
    if (mapped_) file_.close();
  }

  FileImage(const FileImage &) = delete;
  FileImage &operator=(const FileImage &) = delete;
  ~FileImage() { ::munmap(address_, length()); }

  /// The first of `size()` bytes, aligned to a page. Where the file is not mapped, only the
  /// metadata and what `load` was called for are the file's.
  const std::uint8_t *data() const noexcept { return static_cast<const std::uint8_t *>(address_); }

  std::uint64_t size() const noexcept { return size_; }

  /// Whether the bytes are the file's own.
  bool mapped() const noexcept { return mapped_; }

  /// Reads bytes of an unmapped file to their place. No other thread may read them meanwhile.
  void load(std::uint64_t position, std::uint64_t length) {
    if (!mapped_) file_.read(static_cast<std::uint8_t *>(address_) + position, length, position);
  }

  /// Copies bytes of the file to memory that holds `length` of them.
  void copy(std::uint8_t *target, std::uint64_t length, std::uint64_t position) const {
    if (!mapped_) {
      file_.read(target, length, position);
    } else if (length > 0) {
      std::memcpy(target, data() + position, static_cast<std::size_t>(length));
    }
  }

 private:
  std::size_t length() const noexcept { return static_cast<std::size_t>(size_); }

  /// Puts the metadata in front. In a private map these pages are the process's own from then on.
  void install(Span<const std::uint8_t> metadata) {
    if (mapped_) protect(metadata.size(), PROT_READ | PROT_WRITE);
    std::memcpy(address_, metadata.data(), metadata.size());
    if (mapped_) protect(metadata.size(), PROT_READ);
  }

  void protect(std::size_t length, int protection) {
    if (::mprotect(address_, length, protection) == 0) return;
    ErrorDetails details;
    details.system_error = std::error_code(errno, std::generic_category());
    throw CheckpointError(
        ErrorCode::read,
        "there is no memory for the metadata: " + details.system_error.message(), details);
  }

  [[noreturn]] void too_large() const {
    throw CheckpointError(ErrorCode::tensor_too_large,
                          "there is no address space for the " + std::to_string(size_) +
                              " bytes of the file");
  }

  RegularFile file_;
  std::uint64_t size_;
  void *address_ = MAP_FAILED;
  bool mapped_ = false;
};

}  // namespace detail
}  // namespace lightwatch

#endif
