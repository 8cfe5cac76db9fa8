// The destination of a commit: follows links, looks at what is there, creates missing folders.
// Every function throws SystemError.

#ifndef LIGHTWATCH_CHECKPOINT_DESTINATION_HPP
#define LIGHTWATCH_CHECKPOINT_DESTINATION_HPP

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "lightwatch/checkpoint/system_call.hpp"

namespace lightwatch {
namespace detail {

/// Most symbolic links that point to one another: Linux's own limit.
constexpr int max_links = 40;

/// The folder of the file that an absolute path names.
inline std::string folder_of(const std::string &path) {
  const std::size_t end = path.find_last_not_of('/', path.rfind('/'));
  return end == std::string::npos ? "/" : path.substr(0, end + 1);
}

/// What follows the last slash of an absolute path.
inline std::string name_in_folder(const std::string &path) {
  return path.substr(path.rfind('/') + 1);
}

inline std::string join_path(const std::string &folder, const std::string &name) {
  return folder == "/" ? folder + name : folder + "/" + name;
}

/// The absolute form of a path, by the current folder of the process. `..` stays: after a link it
/// is the folder above the link's target.
inline std::string absolute_path(const std::string &path) {
  if (!path.empty() && path[0] == '/') return path;
  const std::unique_ptr<char, void (*)(void *)> current(::getcwd(nullptr, 0), std::free);
  if (!current) throw SystemError(errno);
  return join_path(current.get(), path);
}

/// The path without links, or nothing if there is no such file.
inline std::optional<std::string> real_path(const std::string &path) {
  char *real = nullptr;
  do {
    real = ::realpath(path.c_str(), nullptr);
  } while (real == nullptr && errno == EINTR);
  if (real == nullptr) {
    if (errno == ENOENT) return std::nullopt;
    throw SystemError(errno);
  }
  const std::unique_ptr<char, void (*)(void *)> owner(real, std::free);
  return std::string(real);
}

inline std::string link_target(const std::string &path) {
  std::string target(PATH_MAX, '\0');
  const ssize_t length =
      succeed([&] { return ::readlink(path.c_str(), &target[0], target.size()); });
  target.resize(static_cast<std::size_t>(length));
  return target;
}

/// Follows symbolic links to the file that they name, which need not exist. `path` is absolute.
inline std::string resolve_links(const std::string &path) {
  std::string current = path;
  for (int links = 0; links <= max_links; links++) {
    if (current.back() == '/') throw SystemError(0, "the path names a folder");
    const std::optional<std::string> folder = real_path(folder_of(current));
    if (!folder) throw SystemError(ENOENT);
    const std::string real = join_path(*folder, name_in_folder(current));
    const std::optional<struct stat> status = status_at(real);
    if (!status || !S_ISLNK(status->st_mode)) return real;
    const std::string target = link_target(real);
    current = !target.empty() && target[0] == '/' ? target : join_path(*folder, target);
  }
  throw SystemError(ELOOP, "the symbolic links go round in a circle");
}

/// The status of the file that the commit replaces, or nothing if there is none.
inline std::optional<struct stat> existing_file(const std::string &path) {
  const std::optional<struct stat> status = status_at(path);
  if (!status || S_ISREG(status->st_mode)) return status;
  throw SystemError(
      0, S_ISDIR(status->st_mode) ? "the path is a folder" : "the path is a device, pipe or socket");
}

inline Descriptor open_folder(const std::string &path) {
  const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  return Descriptor(succeed([&] { return ::open(path.c_str(), flags); }));
}

/// Whether the error of a folder's sync means that the file system cannot sync folders.
inline bool cannot_sync(int error) noexcept {
  return error == EINVAL || error == ENOTSUP || error == ENOSYS || error == EPERM;
}

/// Syncs a file or a folder. Throws SystemError. A failed sync must not be retried: the system may
/// have dropped the bytes, and the next sync would succeed.
inline void sync_to_disk(const Descriptor &file) {
#ifdef F_FULLFSYNC
  // On macOS, fsync leaves the bytes in the disk's cache.
  if (uninterrupted([&] { return ::fcntl(file.number(), F_FULLFSYNC); }) == 0) return;
  if (!cannot_sync(errno) && errno != ENOTTY) throw SystemError(errno);
#endif
  succeed([&] { return ::fsync(file.number()); });
}

/// Syncs the names in a folder, if the system can. This process may be unable to open a folder of
/// another user.
inline void sync_names(const std::string &path, bool may_be_closed) {
  Descriptor folder;
  try {
    folder = open_folder(path);
  } catch (const SystemError &error) {
    if (may_be_closed && (error.number() == EACCES || error.number() == EPERM)) return;
    throw;
  }
  try {
    sync_to_disk(folder);
  } catch (const SystemError &error) {
    // If the system cannot sync folders, the commit finds that too, and says so.
    if (!cannot_sync(error.number())) throw;
  }
  folder.close();
}

/// Creates a folder and those above it, unless they exist. If `durable`, each name is synced in the
/// folder above.
inline void make_folder(const std::string &path, bool durable) {
  const std::string parent = folder_of(path);
  if (const std::optional<std::string> real = real_path(path)) {
    // Its creator may be about to sync its name, may have failed to, or may have been killed
    // before.
    if (durable) sync_names(folder_of(*real), true);
    return;
  }
  // A process whose current folder was removed has nothing above it.
  if (parent == path) throw SystemError(ENOENT);
  make_folder(parent, durable);
  // Another process may have created it in the meantime.
  if (uninterrupted([&] { return ::mkdir(path.c_str(), 0777); }) == -1 && errno != EEXIST) {
    throw SystemError(errno);
  }
  if (durable) sync_names(parent, false);
}

}  // namespace detail
}  // namespace lightwatch

#endif
