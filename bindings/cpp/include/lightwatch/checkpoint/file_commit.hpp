// The commit of a file, atomic and durable. At every instant, and after a power cut at any instant,
// the path holds the whole old file or the whole new one. Once `commit` has returned, it holds the
// new one.
//
//   1. Missing folders are created, and the name of each is synced in the folder above. So is the
//      name of the lowest existing folder. The destination is resolved: symbolic links are followed
//      and stay.
//   2. The temporary files of dead savers in the same folder are removed. A new one is created
//      there, exclusively and under an unpredictable name, and locked. It takes the mode, the owner
//      and the access list of the file that it replaces.
//   3. All bytes are written; a short write is continued, and the length is verified. During a long
//      save the system is told to write out what it has, so that the disk is busy from the start.
//   4. The file is synced. A failed sync is never retried.
//   5. The file is renamed over the destination and then closed, which ends its lock. The folder,
//      which was opened before, is synced.
//
// A failure up to the rename leaves the destination as it was and removes the temporary file. After
// a later failure the new file is in place, but a power cut may undo the rename.

#ifndef LIGHTWATCH_CHECKPOINT_FILE_COMMIT_HPP
#define LIGHTWATCH_CHECKPOINT_FILE_COMMIT_HPP

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "lightwatch/checkpoint/destination.hpp"
#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/file_rights.hpp"
#include "lightwatch/checkpoint/system_call.hpp"
#include "lightwatch/checkpoint/temporary_file.hpp"
#include "lightwatch/checkpoint/warning.hpp"

namespace lightwatch {

/// What survives a power cut.
enum class Durability {
  /// The file survives a power cut.
  durable,
  /// The file was synced, and the file system cannot sync folders.
  file_only,
  /// Nothing was synced, at the caller's request.
  none
};

/// The name of a durability, as all implementations have it: "file-only".
constexpr const char *to_string(Durability durability) noexcept {
  return durability == Durability::durable     ? "durable"
         : durability == Durability::file_only ? "file-only"
                                               : "none";
}

namespace detail {

/// Most bytes in one write call; the system stops at 2 GiB.
constexpr std::size_t max_write = 64 * 1024 * 1024;

/// Bytes after which the system is told to start writing.
constexpr std::uint64_t begin_every = 8 * 1024 * 1024;

/// One file on its way to its path. An error of the system before the rename becomes
/// CKPT_NOT_COMMITTED. The destructor leaves nothing of it behind.
class FileCommit {
 public:
  /// Begins a file of `length` bytes.
  FileCommit(const std::string &path, std::uint64_t length, bool durable,
             const OnWarning &on_warning)
      : length_(length), durable_(durable) {
    try {
      begin(path, on_warning);
    } catch (...) {
      abort();
      throw;
    }
  }

  FileCommit(const FileCommit &) = delete;
  FileCommit &operator=(const FileCommit &) = delete;
  ~FileCommit() { abort(); }

  /// Writes bytes at a position of the file.
  void write(const std::uint8_t *bytes, std::size_t length, std::uint64_t position) {
    step("write", [&] {
      while (length > 0) {
        const ssize_t count = succeed([&] {
          return ::pwrite(temporary_.file.number(), bytes, std::min(length, max_write),
                          static_cast<off_t>(position));
        });
        // A full disk first shows as a short count. A count of zero would loop for ever.
        if (count == 0) throw SystemError(0, "the system wrote nothing and gave no reason");
        const auto written = static_cast<std::size_t>(count);
        bytes += written;
        position += written;
        length -= written;
        begin_write_out(written);
      }
    });
  }

  /// Verifies that all bytes have been written, and syncs them to the disk.
  void sync() {
    step("write", [&] {
      const auto size = static_cast<std::uint64_t>(status_of(temporary_.file.number()).st_size);
      if (size != length_) {
        throw SystemError(0, "expected a file of " + std::to_string(length_) + " bytes, found " + std::to_string(size));
      }
      if (durable_) sync_to_disk(temporary_.file);
    });
  }

  /// Renames the file over its destination. Throws CKPT_NOT_COMMITTED or CKPT_NOT_DURABLE.
  Durability commit() {
    step("commit", [&] {
      // A network file system may report an error of an unsynced file when it is closed, so that
      // must happen before the rename. Closing ends the lock, so the file first takes the name of
      // an unlocked one.
      if (!durable_ || !temporary_.locked) {
        if (temporary_.locked) temporary_.path = without_lock(temporary_.path);
        temporary_.file.close();
      }
      try {
        succeed([&] { return ::rename(temporary_.path.c_str(), destination_.c_str()); });
      } catch (const SystemError &cause) {
        throw_failed_rename(cause);
      }
    });
    committed_ = true;
    // After a sync, closing has no errors left to report.
    temporary_.file.discard();
    return sync_folder();
  }

 private:
  void begin(const std::string &path, const OnWarning &on_warning) {
    step("prepare the folder of", [&] {
      const std::string absolute = absolute_path(path);
      make_folder(folder_of(absolute), durable_);
      destination_ = resolve_links(absolute);
    });
    step("examine", [&] { replaced_ = existing_file(destination_); });
    step("create a temporary file beside", [&] {
      const std::string folder = folder_of(destination_);
      // Opened before the commit, so that missing descriptors or rights show in time.
      folder_ = open_folder(folder);
      // Comes before the new file: on a full disk it may make room for it.
      Sweep(folder, on_warning).run();
      temporary_ =
          create_temporary_file(folder, name_in_folder(destination_), replaced_ ? 0600 : 0666);
      if (replaced_) take_rights(temporary_.file, temporary_.status, destination_, *replaced_);
    });
  }

  void abort() noexcept {
    temporary_.file.discard();
    folder_.discard();
    if (committed_ || temporary_.path.empty()) return;
    uninterrupted([&] { return ::unlink(temporary_.path.c_str()); });
    temporary_.path.clear();
  }

  /// Asks the system to start writing what it holds of the file to the disk. It promises nothing,
  /// and takes no error from the next sync.
  void begin_write_out(std::size_t written) noexcept {
#ifdef SYNC_FILE_RANGE_WRITE
    unbegun_ += written;
    if (!durable_ || unbegun_ < begin_every) return;
    unbegun_ = 0;
    ::sync_file_range(temporary_.file.number(), 0, 0, SYNC_FILE_RANGE_WRITE);
#else
    static_cast<void>(written);
#endif
  }

  /// A failed rename may have taken place, because a network can lose the answer. In that case the
  /// message must not say that the old file is untouched. The identities of the files decide.
  [[noreturn]] void throw_failed_rename(const SystemError &cause) {
    std::optional<struct stat> there;
    std::optional<struct stat> own;
    try {
      there = status_at(destination_);
      own = status_at(temporary_.path);
    } catch (const SystemError &) {
      // If the files cannot be examined, the error stands as it is.
      throw cause;
    }
    const FileIdentity written = identity_of(temporary_.status);
    const bool is_there = there && identity_of(*there) == written;
    if (!is_there) {
      if (own && identity_of(*own) == written) throw cause;
      if (!there || (replaced_ && identity_of(*there) == identity_of(*replaced_))) {
        throw SystemError(cause.number(), std::string(cause.what()) +
                                              "; the temporary file or its folder was removed or "
                                              "moved during the save");
      }
    }
    committed_ = true;
    fail(ErrorCode::not_durable,
         is_there ? "the new checkpoint is in place, though the system reported an error for that: "
                    "a power cut may bring back what was there before"
                  : "the temporary file is gone, and another file has taken the place of the old "
                    "one: it is uncertain whether the new checkpoint was there in between",
         cause);
  }

  Durability sync_folder() {
    const Descriptor folder = std::move(folder_);
    if (!durable_) return Durability::none;
    try {
      sync_to_disk(folder);
      // XFS that shut itself down reports success for the sync of a folder and does nothing. For
      // this call it returns EIO.
      status_of(folder.number());
      return Durability::durable;
    } catch (const SystemError &cause) {
      if (cannot_sync(cause.number())) return Durability::file_only;
      fail(ErrorCode::not_durable,
           "the new checkpoint is in place, but its folder could not be synced: a power cut may "
           "bring back what was there before",
           cause);
    }
  }

  /// Runs a step before the commit. An error of the step becomes CKPT_NOT_COMMITTED.
  template <class Run>
  static void step(const char *what, const Run &run) {
    try {
      run();
    } catch (const SystemError &cause) {
      fail(ErrorCode::not_committed,
           std::string("nothing was saved, and what was there before is untouched: could not ") +
               what + " the file",
           cause);
    }
  }

  [[noreturn]] static void fail(ErrorCode code, const std::string &message,
                                const SystemError &cause) {
    ErrorDetails details;
    if (cause.number() != 0) {
      details.system_error = std::error_code(cause.number(), std::generic_category());
    }
    throw CheckpointError(code, message + " (" + cause.what() + ")", details);
  }

  std::uint64_t length_;
  bool durable_;
  std::string destination_;
  /// The file that is to be replaced.
  std::optional<struct stat> replaced_;
  Descriptor folder_;
  TemporaryFile temporary_;
  bool committed_ = false;
  /// Bytes that the system has not been told to write yet.
  std::uint64_t unbegun_ = 0;
};

}  // namespace detail
}  // namespace lightwatch

#endif
