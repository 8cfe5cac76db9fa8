// This machine since its last boot, and this container: what makes a process number unique.

#ifndef LIGHTWATCH_CHECKPOINT_MACHINE_HPP
#define LIGHTWATCH_CHECKPOINT_MACHINE_HPP

#include <unistd.h>

#include <cstddef>
#include <fstream>
#include <sstream>
#include <string>

#include "lightwatch/checkpoint/sha256.hpp"

namespace lightwatch {
namespace detail {

struct Machine {
  /// Eight hexadecimal digits.
  std::string tag;
  /// Whether equal tags imply that equal numbers are the same process.
  bool known;
};

/// The whole content of a small file; empty if it cannot be read.
inline std::string text_of_file(const char *path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

inline Machine describe_machine() {
  char host[256] = {};
  if (::gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  const std::string boot = text_of_file("/proc/sys/kernel/random/boot_id");
  char space[64] = {};
  const ssize_t length = ::readlink("/proc/self/ns/pid", space, sizeof space - 1);
  const std::string processes(space, length > 0 ? static_cast<std::size_t>(length) : 0);
  const std::string all = std::string(host) + "\n" + boot + "\n" + processes;
  return {sha256(all).substr(0, 8), !boot.empty() && !processes.empty()};
}

/// Computed once.
inline const Machine &this_machine() {
  static const Machine here = describe_machine();
  return here;
}

/// Whether a tag belongs to this machine and container.
inline bool is_of_this_machine(const std::string &tag) {
  const Machine &here = this_machine();
#ifdef __linux__
  return tag == here.tag && here.known;
#else
  // On other systems than Linux the machine's name alone tells.
  return tag == here.tag;
#endif
}

}  // namespace detail
}  // namespace lightwatch

#endif
