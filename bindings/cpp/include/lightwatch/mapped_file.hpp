/// A regular file, mapped for reading.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "lightwatch/error.hpp"

namespace lightwatch::detail {

/// The map lives as long as this object. A file that another process truncates meanwhile ends this one
/// (SIGBUS); one that is renamed over does not matter.
class MappedFile {
 public:
  /// Throws CKPT_READ; a folder, FIFO, socket or device is refused, and none of them blocks.
  explicit MappedFile(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) fail(std::string("the file could not be opened: ") + std::strerror(errno));
    struct stat status {};
    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
      ::close(fd);
      fail("this is a folder, device, pipe or socket, not a file");
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
    if (size_ > 0) {
      void* at = ::mmap(nullptr, static_cast<std::size_t>(size_), PROT_READ, MAP_PRIVATE, fd, 0);
      if (at == MAP_FAILED) {
        const std::string reason = std::strerror(errno);
        ::close(fd);
        fail("the file could not be mapped: " + reason);
      }
      data_ = static_cast<const std::uint8_t*>(at);
    }
    ::close(fd);
  }

  ~MappedFile() {
    if (data_ != nullptr) {
      ::munmap(const_cast<std::uint8_t*>(data_), static_cast<std::size_t>(size_));
    }
  }

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::uint8_t* data() const noexcept { return data_; }
  /// In bytes.
  std::uint64_t size() const noexcept { return size_; }

 private:
  [[noreturn]] static void fail(const std::string& message) {
    throw CheckpointError("CKPT_READ", "", message);
  }

  const std::uint8_t* data_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace lightwatch::detail
