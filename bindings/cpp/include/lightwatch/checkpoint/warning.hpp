// Warnings: what a caller should know of, and what is no reason to stop.

#ifndef LIGHTWATCH_CHECKPOINT_WARNING_HPP
#define LIGHTWATCH_CHECKPOINT_WARNING_HPP

#include <functional>
#include <iostream>
#include <string>

namespace lightwatch {

/// Takes a warning. An empty one, the default, has warnings printed to std::clog.
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
