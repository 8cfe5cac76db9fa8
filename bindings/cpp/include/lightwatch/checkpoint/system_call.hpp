// System calls: interrupted calls are repeated, and failures become exceptions.

#ifndef LIGHTWATCH_CHECKPOINT_SYSTEM_CALL_HPP
#define LIGHTWATCH_CHECKPOINT_SYSTEM_CALL_HPP

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace lightwatch {
namespace detail {

/// The error of the system, with its name before its text: `EIO: Input/output error`.
inline std::string system_reason(int number) {
  struct Name {
    int number;
    const char *name;
  };
  // The errors of files and disks.
  static constexpr Name names[] = {
      {EACCES, "EACCES"}, {EBUSY, "EBUSY"},     {EDQUOT, "EDQUOT"},   {EEXIST, "EEXIST"},
      {EFBIG, "EFBIG"},   {EINVAL, "EINVAL"},   {EIO, "EIO"},         {EISDIR, "EISDIR"},
      {ELOOP, "ELOOP"},   {EMFILE, "EMFILE"},   {ENAMETOOLONG, "ENAMETOOLONG"},
      {ENFILE, "ENFILE"}, {ENOENT, "ENOENT"},   {ENOMEM, "ENOMEM"},   {ENOSPC, "ENOSPC"},
      {ENOSYS, "ENOSYS"}, {ENOTDIR, "ENOTDIR"}, {ENOTSUP, "ENOTSUP"}, {EPERM, "EPERM"},
      {EROFS, "EROFS"},   {ESTALE, "ESTALE"},   {ETXTBSY, "ETXTBSY"}, {EXDEV, "EXDEV"}};
  const std::string text = std::error_code(number, std::generic_category()).message();
  for (const Name &known : names) {
    if (known.number == number) return std::string(known.name) + ": " + text;
  }
  return text;
}

/// A system call that failed. `what()` is the reason, for a message.
class SystemError : public std::runtime_error {
 public:
  explicit SystemError(int number) : SystemError(number, system_reason(number)) {}
  /// With a reason of the library's own. `number` is 0 if the system gave none.
  SystemError(int number, const std::string &reason)
      : std::runtime_error(reason), number_(number) {}

  int number() const noexcept { return number_; }

 private:
  int number_;
};

/// Repeats a call until no signal interrupts it. Returns -1, with errno set, if it fails.
template <class Call>
auto uninterrupted(const Call &call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

/// The same, but throws a SystemError if the call fails.
template <class Call>
auto succeed(const Call &call) {
  const auto result = uninterrupted(call);
  if (result == -1) throw SystemError(errno);
  return result;
}

/// The identity of a file: two files are the same if both numbers are equal.
struct FileIdentity {
  dev_t device;
  ino_t number;

  bool operator==(const FileIdentity &other) const noexcept {
    return device == other.device && number == other.number;
  }
  bool operator!=(const FileIdentity &other) const noexcept { return !(*this == other); }
};

inline FileIdentity identity_of(const struct stat &status) noexcept {
  return {status.st_dev, status.st_ino};
}

/// The status of an open file. Throws SystemError.
inline struct stat status_of(int descriptor) {
  struct stat status = {};
  succeed([&] { return ::fstat(descriptor, &status); });
  return status;
}

/// The status of a path, or nothing if the path does not exist. Does not follow a link. Throws
/// SystemError.
inline std::optional<struct stat> status_at(const std::string &path) {
  struct stat status = {};
  if (uninterrupted([&] { return ::lstat(path.c_str(), &status); }) == 0) return status;
  if (errno == ENOENT) return std::nullopt;
  throw SystemError(errno);
}

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor &&other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor &operator=(Descriptor &&other) noexcept {
    if (this != &other) {
      discard();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  ~Descriptor() { discard(); }

  int number() const noexcept { return number_; }
  bool open() const noexcept { return number_ != -1; }

  /// Closes the descriptor and ignores errors.
  void discard() noexcept {
    if (open()) ::close(std::exchange(number_, -1));
  }

  /// Closes the descriptor. Throws a SystemError for an error that the system reports only now. An
  /// interrupted close is not repeated: another file may have the number by now.
  void close() {
    if (open() && ::close(std::exchange(number_, -1)) == -1 && errno != EINTR) {
      throw SystemError(errno);
    }
  }

 private:
  int number_ = -1;
};

}  // namespace detail
}  // namespace lightwatch

#endif
