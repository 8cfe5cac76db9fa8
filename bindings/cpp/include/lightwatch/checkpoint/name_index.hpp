// Finds names among others, and duplicates.

#ifndef LIGHTWATCH_CHECKPOINT_NAME_INDEX_HPP
#define LIGHTWATCH_CHECKPOINT_NAME_INDEX_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string_view>
#include <vector>

namespace lightwatch {
namespace detail {

/// The numbers of names in the order of the names. Sorted and not hashed: a file could be made so
/// that all of its names have the same hash, but its names sort in n log n in any case.
class NameIndex {
 public:
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  NameIndex() = default;

  /// Of `count` names, less than 2^32 - 1; `name_of(i)` is one as a string_view.
  template <class NameOf>
  NameIndex(std::size_t count, const NameOf &name_of) {
    if (count <= linear_limit) {
      for (std::size_t i = 1; i < count && duplicate_ == none; i++) {
        for (std::size_t k = 0; k < i; k++) {
          if (name_of(i) == name_of(k)) duplicate_ = static_cast<std::uint32_t>(i);
        }
      }
      return;
    }
    order_.resize(count);
    std::iota(order_.begin(), order_.end(), 0u);
    std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
      const int compared = name_of(a).compare(name_of(b));
      return compared != 0 ? compared < 0 : a < b;
    });
    for (std::size_t i = 1; i < count; i++) {
      if (name_of(order_[i]) == name_of(order_[i - 1])) {
        duplicate_ = std::min(duplicate_, order_[i]);
      }
    }
  }

  /// The first number whose name equals that of an earlier number, or `none`.
  std::uint32_t first_duplicate() const noexcept { return duplicate_; }

  /// The number of a name, or `none`. `count` and `name_of` are those of the constructor.
  template <class NameOf>
  std::uint32_t find(std::string_view name, std::size_t count, const NameOf &name_of) const {
    if (count <= linear_limit) {
      for (std::size_t i = 0; i < count; i++) {
        if (name_of(i) == name) return static_cast<std::uint32_t>(i);
      }
      return none;
    }
    const auto found =
        std::lower_bound(order_.begin(), order_.end(), name,
                         [&](std::uint32_t i, std::string_view wanted) { return name_of(i) < wanted; });
    return found != order_.end() && name_of(*found) == name ? *found : none;
  }

 private:
  // Up to this many names are searched one by one, and take no memory.
  static constexpr std::size_t linear_limit = 8;

  std::vector<std::uint32_t> order_;
  std::uint32_t duplicate_ = none;
};

}  // namespace detail
}  // namespace lightwatch

#endif
