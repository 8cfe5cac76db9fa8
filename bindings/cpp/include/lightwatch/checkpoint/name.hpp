// Which texts can be the name of a tensor, an extra or a metric.

#ifndef LIGHTWATCH_CHECKPOINT_NAME_HPP
#define LIGHTWATCH_CHECKPOINT_NAME_HPP

#include <string_view>

#include "lightwatch/checkpoint/tables.hpp"

namespace lightwatch {
namespace detail {

/// Why a UTF-8 text cannot be a name, or null if it can. Any script is valid. U+0000 is refused,
/// because a reader that ends strings there would take two names for one.
inline const char *name_fault(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.find('\0') != std::string_view::npos) return "contains U+0000";
  if (name.size() > max_name_bytes) return "is longer than 65535 bytes";
  return nullptr;
}

}  // namespace detail
}  // namespace lightwatch

#endif
