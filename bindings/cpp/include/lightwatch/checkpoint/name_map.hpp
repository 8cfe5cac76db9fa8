// Values by name, in the order of the file.

#ifndef LIGHTWATCH_CHECKPOINT_NAME_MAP_HPP
#define LIGHTWATCH_CHECKPOINT_NAME_MAP_HPP

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lightwatch/checkpoint/name_index.hpp"
#include "lightwatch/checkpoint/quote.hpp"

namespace lightwatch {

/// A map from unique names to values that keeps its order: `for (const auto &[name, value] : map)`.
/// It owns both and does not change.
template <class T>
class NameMap {
 public:
  using value_type = std::pair<std::string, T>;
  using const_iterator = typename std::vector<value_type>::const_iterator;

  NameMap() = default;

  /// Takes ownership of entries in their order. Throws std::invalid_argument if a name appears
  /// twice.
  NameMap(std::vector<value_type> entries) : entries_(std::move(entries)) {
    index_ = detail::NameIndex(entries_.size(),
                               [this](std::size_t i) { return std::string_view(entries_[i].first); });
    const std::uint32_t twice = index_.first_duplicate();
    if (twice != detail::NameIndex::none) {
      throw std::invalid_argument(quote(entries_[twice].first) + " appears twice");
    }
  }

  /// `{{"loss", 0.5}, {"accuracy", 0.9}}`
  NameMap(std::initializer_list<value_type> entries)
      : NameMap(std::vector<value_type>(entries)) {}

  /// Takes ownership of entries with unique names; `index` is over their names.
  NameMap(std::vector<value_type> entries, detail::NameIndex index)
      : entries_(std::move(entries)), index_(std::move(index)) {}

  std::size_t size() const noexcept { return entries_.size(); }
  bool empty() const noexcept { return entries_.empty(); }
  const_iterator begin() const noexcept { return entries_.begin(); }
  const_iterator end() const noexcept { return entries_.end(); }

  /// The value of that name, or null. It is valid as long as the map.
  const T *find(std::string_view name) const {
    const std::uint32_t i = index_.find(name, entries_.size(), [this](std::size_t k) {
      return std::string_view(entries_[k].first);
    });
    return i == detail::NameIndex::none ? nullptr : &entries_[i].second;
  }

  bool contains(std::string_view name) const { return find(name) != nullptr; }

  /// The value of that name. Throws std::out_of_range if there is none.
  const T &at(std::string_view name) const {
    const T *value = find(name);
    if (value == nullptr) throw std::out_of_range("there is no " + quote(name));
    return *value;
  }

 private:
  std::vector<value_type> entries_;
  detail::NameIndex index_;
};

}  // namespace lightwatch

#endif
