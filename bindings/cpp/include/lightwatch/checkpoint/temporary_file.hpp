// The names of temporary files, and the removal of those that dead savers left behind. A process
// that is killed during a save leaves one, as large as a checkpoint. The next save into the same
// folder removes it.
//
// A name consists of the file's name, the machine, the process and 64 random bits:
// `.step-1000.ckpt.5f0c2a91.4711.9d3b7e66c0a1f824.locked.tmp`. A saver holds the advisory lock
// (flock) of its file as long as the file has that name. If the lock of a file can be taken, its
// saver is dead. Without `.locked`, the process number and the age decide. The libraries for
// TypeScript and Python follow the same protocol, so each cleans up after the others: see
// docs/reliability.md.

#ifndef LIGHTWATCH_CHECKPOINT_TEMPORARY_FILE_HPP
#define LIGHTWATCH_CHECKPOINT_TEMPORARY_FILE_HPP

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lightwatch/checkpoint/local_file_system.hpp"
#include "lightwatch/checkpoint/machine.hpp"
#include "lightwatch/checkpoint/quote.hpp"
#include "lightwatch/checkpoint/system_call.hpp"
#include "lightwatch/checkpoint/warning.hpp"

namespace lightwatch {
namespace detail {

/// The longest name that ext4, XFS and APFS take, in bytes.
constexpr std::size_t max_file_name = 255;

/// In seconds, longer than any save takes. If nothing better decides, a file is removed when it has
/// not been written to for this time.
constexpr std::time_t old_age = 24 * 60 * 60;

/// A name has 64 random bits, so a name that exists already was planted; a few more are tried then.
/// Another saver can also remove a file as a leftover before it is locked.
constexpr int name_tries = 4;

constexpr std::string_view locked_ending = ".locked.tmp";
constexpr std::string_view unlocked_ending = ".tmp";

/// A new name for a temporary file next to the file `name`; at most 255 bytes. Throws SystemError
/// if the system has no random numbers.
inline std::string temporary_name(std::string name, bool locked = true) {
  std::uint64_t random = 0;
  succeed([&] { return ::getentropy(&random, sizeof random); });
  std::string ending = "." + this_machine().tag + "." + std::to_string(::getpid()) + "." +
                       hexadecimal(random, 16);
  ending += locked ? locked_ending : unlocked_ending;
  while (1 + name.size() + ending.size() > max_file_name) {
    // Whole characters are dropped, so that none is cut in two.
    while ((static_cast<unsigned char>(name.back()) & 0xc0u) == 0x80 && name.size() > 1) {
      name.pop_back();
    }
    name.pop_back();
  }
  return "." + name + ending;
}

/// The parts of a temporary file's name.
struct TemporaryName {
  std::string tag;
  std::uint64_t process;
  bool locked;
};

/// Reads a name. Returns nothing if the name does not follow the protocol.
inline std::optional<TemporaryName> parse_temporary_name(std::string_view name) {
  const auto drop_ending = [&name](std::string_view ending) {
    if (name.size() < ending.size() || name.substr(name.size() - ending.size()) != ending) {
      return false;
    }
    name.remove_suffix(ending.size());
    return true;
  };
  const bool locked = drop_ending(locked_ending);
  if (!locked && !drop_ending(unlocked_ending)) return std::nullopt;
  // Takes the last part, if it consists of these characters and follows a full stop.
  const auto take_part = [&name](std::string_view characters) -> std::string_view {
    const std::size_t stop = name.rfind('.');
    if (stop == std::string_view::npos) return {};
    const std::string_view part = name.substr(stop + 1);
    if (part.find_first_not_of(characters) != std::string_view::npos) return {};
    name = name.substr(0, stop);
    return part;
  };
  constexpr std::string_view digits = "0123456789abcdef";
  if (take_part(digits).size() != 16) return std::nullopt;
  const std::string_view number = take_part(digits.substr(0, 10));
  if (number.empty() || number.size() > 10 || number[0] == '0') return std::nullopt;
  const std::string_view tag = take_part(digits);
  if (tag.size() != 8 || name.size() < 2 || name[0] != '.') return std::nullopt;
  return TemporaryName{std::string(tag), std::stoull(std::string(number)), locked};
}

enum class Lock {
  taken,
  /// Another saver has the lock.
  held,
  /// The file system has no locks.
  unknown
};

/// Takes the lock of an open file until the file is closed. Does not wait for the lock.
inline Lock take_lock(const Descriptor &file) noexcept {
  if (uninterrupted([&] { return ::flock(file.number(), LOCK_EX | LOCK_NB); }) == 0) {
    return Lock::taken;
  }
  return errno == EWOULDBLOCK ? Lock::held : Lock::unknown;
}

/// A temporary file that is open for writing.
struct TemporaryFile {
  std::string path;
  Descriptor file;
  /// Whether the file is locked, and has a name that says so. The lock ends when the file is
  /// closed.
  bool locked = false;
  /// The identity of the file when it was created.
  struct stat status = {};
};

/// Renames a locked temporary file to an unlocked name and returns the new path. Throws
/// SystemError.
inline std::string without_lock(const std::string &path) {
  std::string unlocked = path.substr(0, path.size() - locked_ending.size());
  unlocked += unlocked_ending;
  succeed([&] { return ::rename(path.c_str(), unlocked.c_str()); });
  return unlocked;
}

/// Creates and locks a temporary file in a folder, for the file `name` there. If the file system
/// has no locks, the file gets an unlocked name. Throws SystemError; no file is left in that case.
inline TemporaryFile create_temporary_file(const std::string &folder, const std::string &name,
                                           mode_t mode) {
  for (int tries = name_tries;; tries--) {
    // The last try takes no lock, because other savers may be quicker each time.
    const bool locking = tries > 1;
    TemporaryFile created;
    created.path = folder + "/" + temporary_name(name, locking);
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    created.file = Descriptor(
        uninterrupted([&] { return ::open(created.path.c_str(), flags, mode); }));
    if (!created.file.open()) {
      if (errno != EEXIST || !locking) throw SystemError(errno);
      continue;
    }
    try {
      created.status = status_of(created.file.number());
      if (!locking) return created;
      const Lock lock = take_lock(created.file);
      if (lock == Lock::unknown) {
        created.path = without_lock(created.path);
        return created;
      }
      // Another saver may have locked the file first, and removed it as a leftover.
      const std::optional<struct stat> there = status_at(created.path);
      if (lock == Lock::taken && there && identity_of(*there) == identity_of(created.status)) {
        created.locked = true;
        return created;
      }
      created.file.close();
      ::unlink(created.path.c_str());
    } catch (...) {
      created.file.discard();
      uninterrupted([&] { return ::unlink(created.path.c_str()); });
      throw;
    }
  }
}

/// Removes the temporary files in a folder that dead savers have left behind.
class Sweep {
 public:
  Sweep(std::string folder, const OnWarning &on_warning)
      : folder_(std::move(folder)), on_warning_(on_warning) {}

  /// Keeps the files of living savers, and every file whose name does not follow the protocol. If
  /// it cannot decide whether a saver lives, it keeps the file and warns once. Ignores errors of
  /// the system, because removing leftovers is optional.
  void run() const {
    for (const std::string &name : names()) {
      const std::optional<TemporaryName> parsed = parse_temporary_name(name);
      if (!parsed) continue;
      const std::string path = folder_ + "/" + name;
      try {
        if (is_dead(*parsed)) {
          remove(path);
        } else if (parsed->locked) {
          sweep_locked(path, *parsed);
        } else {
          sweep_unlocked(path, *parsed);
        }
      } catch (const SystemError &) {
        // The file does not exist any more, or may not be removed.
      }
    }
  }

 private:
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    DIR *folder = nullptr;
    do {
      folder = ::opendir(folder_.c_str());
    } while (folder == nullptr && errno == EINTR);
    if (folder == nullptr) return names;
    const std::unique_ptr<DIR, int (*)(DIR *)> close(folder, ::closedir);
    for (;;) {
      errno = 0;
      if (const dirent *entry = ::readdir(folder)) {
        names.emplace_back(static_cast<const char *>(entry->d_name));
      } else if (errno != EINTR) {
        return names;
      }
    }
  }

  /// For a file without a lock, whose saver may be alive.
  void sweep_unlocked(const std::string &path, const TemporaryName &name) const {
    struct stat status = {};
    succeed([&] { return ::lstat(path.c_str(), &status); });
    if (is_old(status)) {
      remove(path);
    } else if (!is_of_this_machine(name.tag)) {
      warn_once(path, "until it has not been written to for a day");
    }
  }

  void sweep_locked(const std::string &path, const TemporaryName &name) const {
    // O_NONBLOCK: a pipe of that name must not block the open. O_RDWR: NFS locks only what is open
    // for writing.
    const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    Descriptor file(uninterrupted([&] { return ::open(path.c_str(), O_RDWR | flags); }));
    if (!file.open()) {
      file = Descriptor(succeed([&] { return ::open(path.c_str(), O_RDONLY | flags); }));
    }
    const Lock lock = take_lock(file);
    if (lock == Lock::unknown) {
      warn_once(path, "until a save that can lock files looks at it");
    }
    if (lock != Lock::taken) return;
    const struct stat status = status_of(file.number());
    // The saver may have committed the file before the lock was taken, and another file may have
    // its name.
    const std::optional<struct stat> there = status_at(path);
    if (!there || identity_of(*there) != identity_of(status) || !S_ISREG(status.st_mode)) return;
    // Locks of savers on another machine may not be visible here.
    if (is_of_this_machine(name.tag) || is_on_local_file_system(status.st_dev) || is_old(status)) {
      remove(path);
    }
  }

  static void remove(const std::string &path) {
    succeed([&] { return ::unlink(path.c_str()); });
  }

  static bool is_old(const struct stat &status) noexcept {
    return ::time(nullptr) - status.st_mtime > old_age;
  }

  /// Whether a process has certainly ended.
  static bool is_dead(const TemporaryName &name) {
    if (!is_of_this_machine(name.tag) || !this_machine().known) return false;
    if (name.process > std::uint64_t{INT_MAX}) return false;
    return ::kill(static_cast<pid_t>(name.process), 0) == -1 && errno == ESRCH;
  }

  void warn_once(const std::string &path, const char *until) const {
    static std::atomic<bool> warned{false};
    if (warned.exchange(true)) return;
    warn(on_warning_,
         quote(std::string_view(path).substr(path.rfind('/') + 1)) +
             " was left by a process that was killed during a save, or belongs to a save that is "
             "under way: nothing tells which, so it stays " +
             until + ". Remove it if no save is under way");
  }

  std::string folder_;
  const OnWarning &on_warning_;
};

}  // namespace detail
}  // namespace lightwatch

#endif
