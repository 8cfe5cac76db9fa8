// Calls to the system: interrupted ones are made again, and what fails is an exception.

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

/// What the system said, with the name of the error before its text: `EIO: Input/output error`.
inline std::string system_reason(int number) {
  struct Name {
    int number;
    const char *name;
  };
  // Those that a file or a disk gives.
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

/// A call that the system refused. `what()` is the reason, for a message.
class SystemError : public std::runtime_error {
 public:
  explicit SystemError(int number) : SystemError(number, system_reason(number)) {}
  /// With a reason of our own; `number` is 0 where the system gave none.
  SystemError(int number, const std::string &reason)
      : std::runtime_error(reason), number_(number) {}

  int number() const noexcept { return number_; }

 private:
  int number_;
};

/// Makes a call until no signal interrupts it. Returns -1, with errno, where it fails.
template <class Call>
auto uninterrupted(const Call &call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

/// The same, and throws a SystemError where the call fails.
template <class Call>
auto succeed(const Call &call) {
  const auto result = uninterrupted(call);
  if (result == -1) throw SystemError(errno);
  return result;
}

/// Which file: two are the same where both numbers are.
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

/// What is at a path, or nothing where nothing is. Does not follow a link. Throws SystemError.
inline std::optional<struct stat> status_at(const std::string &path) {
  struct stat status = {};
  if (uninterrupted([&] { return ::lstat(path.c_str(), &status); }) == 0) return status;
  if (errno == ENOENT) return std::nullopt;
  throw SystemError(errno);
}

/// Owns a descriptor.
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

  /// Closes it, whatever the system says to that.
  void discard() noexcept {
    if (open()) ::close(std::exchange(number_, -1));
  }

  /// Closes it. Throws a SystemError that the system kept for now. A close that was interrupted is
  /// done: its number may be another file's by now.
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
