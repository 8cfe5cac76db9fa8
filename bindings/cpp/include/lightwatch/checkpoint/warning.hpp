// Warnings: conditions that a caller should know about, but that do not stop the call.

#ifndef LIGHTWATCH_CHECKPOINT_WARNING_HPP
#define LIGHTWATCH_CHECKPOINT_WARNING_HPP

#include <functional>
#include <iostream>
#include <string>

namespace lightwatch {

/// Takes a warning. By default, if empty, warnings are printed to std::clog.
using OnWarning = std::function<void(const std::string &message)>;

namespace detail {

inline void warn(const OnWarning &on_warning, const std::string &message) {
  if (on_warning) {
    on_warning(message);
  } else {
    std::clog << "lightwatch-checkpoint: " << message << "\n";
  }
}

}  // namespace detail
}  // namespace lightwatch

#endif
