// The state of one object with a state dict: a map from names to tensors, with a kind and
// attributes.

#ifndef LIGHTWATCH_CHECKPOINT_STATE_HPP
#define LIGHTWATCH_CHECKPOINT_STATE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lightwatch/checkpoint/attribute.hpp"
#include "lightwatch/checkpoint/contents.hpp"
#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/quote.hpp"
#include "lightwatch/checkpoint/tensor.hpp"

namespace lightwatch {

/// The state of a model, an optimizer, a scheduler or a sampler. A handle like Tensor: cheap to
/// copy, and it keeps the file's memory alive.
///
///     for (const auto &[name, tensor] : checkpoint.model()) ...   // in the order of the state dict
///     checkpoint.model().at("layer.weight").as<float>()
class State {
 public:
  using value_type = std::pair<std::string_view, Tensor>;
  class const_iterator;

  /// `model`, `optimizer`, or the name of an extra.
  std::string_view name() const noexcept { return record_->name; }

  /// The kind of the object, in the words of its framework: `AdamW`.
  std::optional<std::string_view> kind() const noexcept { return record_->kind; }

  /// Hyper-parameters, parameter groups, counters. The reference is valid as long as this handle or
  /// another one of the same checkpoint.
  const Attributes &attributes() const noexcept { return record_->attributes; }

  /// Number of tensors.
  std::size_t size() const noexcept { return record_->tensors.size(); }
  bool empty() const noexcept { return record_->tensors.empty(); }

  /// Pairs of name and tensor, created during the iteration.
  const_iterator begin() const noexcept;
  const_iterator end() const noexcept;

  /// The tensor at an index below `size()`. Throws std::out_of_range.
  Tensor tensor(std::size_t number) const {
    return Tensor(contents_, record_, &record_->tensors.at(number));
  }

  /// The tensor of that name, if there is one.
  std::optional<Tensor> find(std::string_view name) const {
    const std::uint32_t i = number_of(name);
    if (i == detail::NameIndex::none) return std::nullopt;
    return tensor(i);
  }

  bool contains(std::string_view name) const { return number_of(name) != detail::NameIndex::none; }

  /// 1 if there is a tensor of that name, 0 otherwise.
  std::size_t count(std::string_view name) const { return contains(name) ? 1 : 0; }

  /// The tensor of that name. Throws CKPT_NO_SUCH_TENSOR; the message lists some of the existing
  /// names.
  Tensor at(std::string_view name) const {
    const std::uint32_t i = number_of(name);
    if (i == detail::NameIndex::none) no_such_tensor(name);
    return tensor(i);
  }

  /// The same as `at`.
  Tensor operator[](std::string_view name) const { return at(name); }

 private:
  friend class Checkpoint;

  State(std::shared_ptr<const detail::Contents> contents,
        const detail::StateRecord *record) noexcept
      : contents_(std::move(contents)), record_(record) {}

  std::uint32_t number_of(std::string_view name) const {
    const std::vector<detail::TensorRecord> &tensors = record_->tensors;
    return record_->tensor_index.find(name, tensors.size(),
                                      [&tensors](std::size_t i) { return tensors[i].name; });
  }

  [[noreturn]] void no_such_tensor(std::string_view name) const {
    constexpr std::size_t shown = 5;
    std::string some;
    for (std::size_t i = 0; i < std::min(size(), shown); i++) {
      some += (i == 0 ? ": " : ", ") + quote(record_->tensors[i].name);
    }
    if (size() > shown) some += ", \xe2\x80\xa6";
    ErrorDetails details;
    details.state = record_->name;
    details.tensor = name;
    throw CheckpointError(ErrorCode::no_such_tensor,
                          "the state " + quote(record_->name) + " has no tensor " +
                              quote(name) + "; it has " + std::to_string(size()) + some,
                          details);
  }

  std::shared_ptr<const detail::Contents> contents_;
  const detail::StateRecord *record_;
};

/// Yields pairs by value. Valid as long as the State that it iterates over.
class State::const_iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = State::value_type;
  using difference_type = std::ptrdiff_t;
  using reference = value_type;
  using pointer = void;

  value_type operator*() const {
    Tensor tensor = state_->tensor(number_);
    const std::string_view name = tensor.name();
    return {name, std::move(tensor)};
  }
  const_iterator &operator++() noexcept {
    number_++;
    return *this;
  }
  const_iterator operator++(int) noexcept {
    const const_iterator before = *this;
    number_++;
    return before;
  }
  bool operator==(const const_iterator &other) const noexcept { return number_ == other.number_; }
  bool operator!=(const const_iterator &other) const noexcept { return number_ != other.number_; }

 private:
  friend class State;

  const_iterator(const State *state, std::size_t number) noexcept
      : state_(state), number_(number) {}

  const State *state_;
  std::size_t number_;
};

inline State::const_iterator State::begin() const noexcept { return {this, 0}; }
inline State::const_iterator State::end() const noexcept { return {this, size()}; }

}  // namespace lightwatch

#endif
