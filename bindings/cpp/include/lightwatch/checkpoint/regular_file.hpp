// An open file that is read by position.

#ifndef LIGHTWATCH_CHECKPOINT_REGULAR_FILE_HPP
#define LIGHTWATCH_CHECKPOINT_REGULAR_FILE_HPP

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include "lightwatch/checkpoint/error.hpp"

namespace lightwatch {
namespace detail {

static_assert(sizeof(off_t) >= 8, "compile with -D_FILE_OFFSET_BITS=64: files are longer than 2 GiB");

/// Owns a descriptor. Every failure is CKPT_READ, with the error of the system.
class RegularFile {
 public:
  /// Opens a regular file, or a link to one, for reading. A folder, FIFO, socket or device is
  /// refused without waiting.
  explicit RegularFile(const std::string &path) {
    // O_NONBLOCK keeps the open of a FIFO from waiting for a writer.
    do {
      descriptor_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    } while (descriptor_ == -1 && errno == EINTR);
    if (descriptor_ == -1) fail("could not be opened", errno);
    struct stat status = {};
    if (::fstat(descriptor_, &status) != 0) {
      const int error = errno;
      close();
      fail("could not be examined", error);
    }
    if (!S_ISREG(status.st_mode)) {
      close();
      throw CheckpointError(ErrorCode::read,
                            S_ISDIR(status.st_mode)
                                ? "expected a file, found a folder"
                                : "expected a file, found a device, pipe or socket");
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
  }

  RegularFile(RegularFile &&other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}
  RegularFile(const RegularFile &) = delete;
  RegularFile &operator=(const RegularFile &) = delete;
  RegularFile &operator=(RegularFile &&) = delete;
  ~RegularFile() { close(); }

  int descriptor() const noexcept { return descriptor_; }

  /// Length in bytes at the time the file was opened.
  std::uint64_t size() const noexcept { return size_; }

  /// Reads exactly `length` bytes. Throws CKPT_FILE_CHANGED if the file ends earlier.
  void read(std::uint8_t *target, std::uint64_t length, std::uint64_t position) const {
    // Linux reads less than 2 GiB a call; macOS refuses more.
    constexpr std::uint64_t most = std::uint64_t{1} << 30;
    while (length > 0) {
      const ssize_t count = ::pread(descriptor_, target, static_cast<std::size_t>(std::min(length, most)),
                                    static_cast<off_t>(position));
      if (count == -1) {
        if (errno == EINTR) continue;
        fail("could not be read", errno);
      }
      if (count == 0) {
        ErrorDetails details;
        details.offset = position;
        throw CheckpointError(ErrorCode::file_changed,
                              "the file was truncated to " + std::to_string(position) +
                                  " bytes while it was being read",
                              details);
      }
      target += count;
      position += static_cast<std::uint64_t>(count);
      length -= static_cast<std::uint64_t>(count);
    }
  }

  void close() noexcept {
    if (descriptor_ != -1) ::close(std::exchange(descriptor_, -1));
  }

 private:
  [[noreturn]] static void fail(const char *what, int error) {
    ErrorDetails details;
    details.system_error = std::error_code(error, std::generic_category());
    throw CheckpointError(ErrorCode::read,
                          std::string("the file ") + what + ": " + details.system_error.message(),
                          details);
  }

  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace detail
}  // namespace lightwatch

#endif
