// Whether only this machine has some files, so that every process that opens one sees its lock.

#ifndef LIGHTWATCH_CHECKPOINT_LOCAL_FILE_SYSTEM_HPP
#define LIGHTWATCH_CHECKPOINT_LOCAL_FILE_SYSTEM_HPP

#include <sys/stat.h>
#ifdef __linux__
#include <sys/sysmacros.h>
#endif

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>

namespace lightwatch {
namespace detail {

/// Whether a device is a local file system. Only Linux tells; false elsewhere.
inline bool is_on_local_file_system(dev_t device) {
#ifdef __linux__
  static constexpr std::string_view local[] = {"ext2",  "ext3",    "ext4", "xfs", "btrfs",
                                               "tmpfs", "overlay", "f2fs", "zfs", "bcachefs"};
  const std::string number = std::to_string(major(device)) + ":" + std::to_string(minor(device));
  std::ifstream mounts("/proc/self/mountinfo");
  bool any = false;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string id, parent, mounted;
    words >> id >> parent >> mounted;
    const std::size_t separator = line.find(" - ");
    if (mounted != number || separator == std::string::npos) continue;
    std::istringstream after(line.substr(separator + 3));
    std::string type;
    after >> type;
    if (std::find(std::begin(local), std::end(local), type) == std::end(local)) return false;
    any = true;
  }
  return any;
#else
  static_cast<void>(device);
  return false;
#endif
}

}  // namespace detail
}  // namespace lightwatch

#endif
