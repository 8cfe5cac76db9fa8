// The temporary files of commits: how they are called, and which of them no save needs any more. A
// process that is killed during a save leaves one behind; the next save into the same folder
// removes it, as it is as large as a checkpoint.
//
// A name has the file that it is for, the machine and the process that made it, and 64 random bits:
// `.step-1000.ckpt.5f0c2a91.4711.9d3b7e66c0a1f824.locked.tmp`. A saver holds the advisory lock
// (flock) of a file of such a name for as long as the file has the name, so one whose lock can be
// taken is of a dead saver. Without `.locked` the number and the age decide. The libraries for
// TypeScript and Python obey the same protocol, so each cleans up after the others: see
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

/// Where nothing better tells, a file goes that has not been written to for longer than any save
/// takes, in seconds.
constexpr std::time_t old_age = 24 * 60 * 60;

/// Names are 64 random bits, so one that is taken was planted; then a few more are tried. The file
/// of a name can also be removed before it is locked, by another saver that took it for a leftover.
constexpr int name_tries = 4;

constexpr std::string_view locked_ending = ".locked.tmp";
constexpr std::string_view unlocked_ending = ".tmp";

/// A new name for a temporary file next to the file `name`; at most 255 bytes. Throws SystemError
/// where the system has no random numbers.
inline std::string temporary_name(std::string name, bool locked = true) {
  std::uint64_t random = 0;
  succeed([&] { return ::getentropy(&random, sizeof random); });
  std::string ending = "." + this_machine().tag + "." + std::to_string(::getpid()) + "." +
                       hexadecimal(random, 16);
  ending += locked ? locked_ending : unlocked_ending;
  while (1 + name.size() + ending.size() > max_file_name) {
    // By characters, so that none is cut in two.
    while ((static_cast<unsigned char>(name.back()) & 0xc0u) == 0x80 && name.size() > 1) {
      name.pop_back();
    }
    name.pop_back();
  }
  return "." + name + ending;
}

/// What a name of a temporary file says.
struct TemporaryName {
  std::string tag;
  std::uint64_t process;
  bool locked;
};

/// Reads a name, or returns nothing where it is not one of ours.
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
  // The last part, which is of these characters and begins behind a full stop.
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
  /// Another one has it.
  held,
  /// Nothing can be locked here.
  unknown
};

/// Takes the lock of an open file until it is closed, if it can be had at once.
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
  /// Whether the file is locked, and named so; the lock ends when the file is closed.
  bool locked = false;
  /// As it was created.
  struct stat status = {};
};

/// Gives a temporary file the name of one that is not locked, and returns the new path. Throws
/// SystemError.
inline std::string without_lock(const std::string &path) {
  std::string unlocked = path.substr(0, path.size() - locked_ending.size());
  unlocked += unlocked_ending;
  succeed([&] { return ::rename(path.c_str(), unlocked.c_str()); });
  return unlocked;
}

/// Creates and locks a temporary file in a folder, for the file `name` there. Where nothing can be
/// locked the file has the name of one that is not. Throws SystemError; nothing is left then.
inline TemporaryFile create_temporary_file(const std::string &folder, const std::string &name,
                                           mode_t mode) {
  for (int tries = name_tries;; tries--) {
    // The last one is not locked: others may be quick each time.
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
      // Before the lock another saver may have locked it, and removed it as a leftover.
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

  /// Those of living savers stay, and so does every file that is not called like one of ours. Where
  /// nothing tells whether a saver lives, its file stays as well, with a warning, once. Never throws
  /// for what the system says: this is tidying.
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
        // Gone already, or not ours to remove.
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

  /// Of a saver that may be alive, without a lock that could tell.
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
    // A pipe of that name is not waited for. NFS locks what is open for writing.
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
    // It may have been committed, and its name be another's, before we had the lock.
    const std::optional<struct stat> there = status_at(path);
    if (!there || identity_of(*there) != identity_of(status) || !S_ISREG(status.st_mode)) return;
    // The lock of a saver on another machine may not reach this one.
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

  /// Whether a process certainly has ended.
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
