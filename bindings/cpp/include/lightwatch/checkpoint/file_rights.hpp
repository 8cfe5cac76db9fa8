// What a new file takes over from the file that it replaces: owner, group, mode, access list and
// extended attributes. If something cannot be kept, the new file gets fewer rights, never more.

#ifndef LIGHTWATCH_CHECKPOINT_FILE_RIGHTS_HPP
#define LIGHTWATCH_CHECKPOINT_FILE_RIGHTS_HPP

#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/xattr.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "lightwatch/checkpoint/system_call.hpp"

namespace lightwatch {
namespace detail {

constexpr mode_t mode_bits = 07777;
constexpr mode_t owner_bits = 07700;

/// Changes owner and group as far as possible. Returns the mode that is safe with the result.
inline mode_t take_owner(const Descriptor &file, const struct stat &fresh,
                         const struct stat &replaced) {
  mode_t mode = replaced.st_mode & mode_bits;
  const auto change = [&](uid_t user, gid_t group) {
    return uninterrupted([&] { return ::fchown(file.number(), user, group); }) == 0;
  };
  if (change(replaced.st_uid, replaced.st_gid)) return mode;
  // Only root may give files away. But the group may be one of this user's own.
  if (fresh.st_uid != replaced.st_uid) mode &= ~static_cast<mode_t>(S_ISUID);
  if (fresh.st_gid == replaced.st_gid) return mode;
  if (change(static_cast<uid_t>(-1), replaced.st_gid)) return mode;
  // The mode's group bits were meant for the other group, so this group gets none of them.
  return mode & ~static_cast<mode_t>(S_ISGID | S_IRWXG);
}

#ifdef __linux__

/// Calls `read` with memory that grows until the result fits. Returns nothing on failure.
template <class Read>
std::optional<std::vector<char>> read_all(const Read &read) {
  std::vector<char> bytes(256);
  for (;;) {
    const ssize_t length = read(bytes.data(), bytes.size());
    if (length >= 0) {
      bytes.resize(static_cast<std::size_t>(length));
      return bytes;
    }
    // Linux allows 64 KiB.
    if (errno != ERANGE || bytes.size() > 64 * 1024) return std::nullopt;
    bytes.resize(bytes.size() * 4);
  }
}

/// Gives an open file the attributes (`user.…`) and the access list of the file at a path. Returns
/// whether both have the same list, or neither has one.
inline bool copy_attributes(const std::string &path, const Descriptor &file) {
  static const std::string access_list = "system.posix_acl_access";
  const auto listed = read_all(
      [&](char *to, std::size_t length) { return ::llistxattr(path.c_str(), to, length); });
  if (!listed) return errno == ENOTSUP;
  std::vector<std::string> names;
  for (auto at = listed->begin(); at != listed->end();) {
    const auto end = std::find(at, listed->end(), '\0');
    names.emplace_back(at, end);
    at = end == listed->end() ? end : end + 1;
  }
  const auto copy = [&](const std::string &name) {
    const auto value = read_all([&](char *to, std::size_t length) {
      return ::lgetxattr(path.c_str(), name.c_str(), to, length);
    });
    return value &&
           ::fsetxattr(file.number(), name.c_str(), value->data(), value->size(), 0) == 0;
  };
  for (const std::string &name : names) {
    if (name.compare(0, 5, "user.") == 0) copy(name);
  }
  if (std::find(names.begin(), names.end(), access_list) != names.end()) return copy(access_list);
  // The file must not keep the list that its folder gives to new files.
  return ::fremovexattr(file.number(), access_list.c_str()) == 0 || errno == ENODATA ||
         errno == ENOTSUP;
}

#else

/// On other systems than Linux the mode means the same with a list and without.
inline bool copy_attributes(const std::string &, const Descriptor &) { return true; }

#endif

/// Gives an open file, which was created with the status `fresh`, the rights of the file at `path`,
/// whose status is `replaced`. Throws SystemError.
inline void take_rights(const Descriptor &file, const struct stat &fresh, const std::string &path,
                        const struct stat &replaced) {
  mode_t mode = replaced.st_mode & mode_bits;
  if (fresh.st_uid != replaced.st_uid || fresh.st_gid != replaced.st_gid) {
    mode = take_owner(file, fresh, replaced);
  }
  // A user whom the list kept out must not get in by the mode, which was its mask.
  if (!copy_attributes(path, file)) mode &= owner_bits;
  succeed([&] { return ::fchmod(file.number(), mode); });
}

}  // namespace detail
}  // namespace lightwatch

#endif
