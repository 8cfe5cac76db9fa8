// The commit of a file, atomic and durable: whoever opens the path finds the whole old file or the
// whole new one, at every instant, and after a power cut at any instant; and once `commit` has
// returned, the new one.
//
//   1. Missing folders are created, and each one's name synced in the folder above; so is that of
//      the lowest one that was there. The destination is resolved: a symbolic link is followed and
//      stays.
//   2. The temporary files that dead savers have left in the same folder are removed. One is created
//      there, exclusively and under an unpredictable name, and locked. It takes the mode, the owner
//      and the access list of the file that it is to replace.
//   3. All bytes are written; a short write is continued, and the length is checked. Of a long file
//      the disk is given what is there on the way, so that it is busy from the start.
//   4. The file is synced. A sync that fails is not tried again.
//   5. The file is renamed over the destination and then closed, which ends its lock; the folder,
//      opened beforehand, is synced.
//
// A failure up to the rename leaves the destination as it was and removes the temporary file. After
// a failure past it the new file is there, and it is uncertain whether a power cut undoes it.

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

/// What a commit reached.
enum class Durability {
  /// The file survives a power cut.
  durable,
  /// The file was synced, and the file system cannot sync folders.
  file_only,
  /// Nothing was synced, as the caller wanted.
  none
};

/// The name of a durability, as all implementations have it: "file-only".
constexpr const char *to_string(Durability durability) noexcept {
  return durability == Durability::durable     ? "durable"
         : durability == Durability::file_only ? "file-only"
                                               : "none";
}

namespace detail {

/// Most bytes handed to one write call; the system stops at 2 GiB.
constexpr std::size_t max_write = 64 * 1024 * 1024;

/// Bytes after which the disk is told to begin.
constexpr std::uint64_t begin_every = 8 * 1024 * 1024;

/// One file on its way to its path. What the system refuses before the rename is
/// CKPT_NOT_COMMITTED; nothing is left of it when this is destroyed.
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
        // A full disk shows as a short count first. One of zero would go on for ever.
        if (count == 0) throw SystemError(0, "the system wrote nothing and gave no reason");
        const auto written = static_cast<std::size_t>(count);
        bytes += written;
        position += written;
        length -= written;
        begin_write_out(written);
      }
    });
  }

  /// Makes sure that all bytes are there, and on the disk.
  void sync() {
    step("write", [&] {
      const auto size = static_cast<std::uint64_t>(status_of(temporary_.file.number()).st_size);
      if (size != length_) {
        throw SystemError(0, std::to_string(size) + " bytes arrived of " + std::to_string(length_));
      }
      if (durable_) sync_to_disk(temporary_.file);
    });
  }

  /// Puts the file into its place. Throws CKPT_NOT_COMMITTED or CKPT_NOT_DURABLE.
  Durability commit() {
    step("commit", [&] {
      // A network file system may tell of an error when the file is closed, if it was not synced:
      // that has to be before the rename. The lock ends then, and with it the name of one that is
      // locked.
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
    // What was synced has no errors left to tell of.
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
      // Opened before the commit, so that a lack of descriptors or of rights shows in time.
      folder_ = open_folder(folder);
      // First: on a full disk it may be what makes room.
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

  /// Has the system begin to write to the disk what it holds of the file. It promises nothing, and
  /// takes no error from the sync that comes after it.
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

  /// A rename that failed may have taken place: over a network the answer can be lost. Then nobody
  /// may be told that the old file is untouched. Which file is where tells.
  [[noreturn]] void throw_failed_rename(const SystemError &cause) {
    std::optional<struct stat> there;
    std::optional<struct stat> own;
    try {
      there = status_at(destination_);
      own = status_at(temporary_.path);
    } catch (const SystemError &) {
      // It cannot be looked at: nothing speaks against the error.
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
      // XFS that has shut itself down calls the sync of a folder a success that does nothing. To
      // this it answers with EIO.
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

  /// Runs a step before the commit; what fails there is CKPT_NOT_COMMITTED.
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
  /// Bytes that the disk has not been told to begin with.
  std::uint64_t unbegun_ = 0;
};

}  // namespace detail
}  // namespace lightwatch

#endif
