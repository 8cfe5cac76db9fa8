// The state that a trainer's model or optimizer gives to a save or a restore: names and tensors, a
// kind, attributes.

#ifndef LIGHTWATCH_CHECKPOINT_STATE_DICT_HPP
#define LIGHTWATCH_CHECKPOINT_STATE_DICT_HPP

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "lightwatch/checkpoint/attribute.hpp"
#include "lightwatch/checkpoint/quote.hpp"
#include "lightwatch/checkpoint/state.hpp"
#include "lightwatch/checkpoint/tensor_view.hpp"

namespace lightwatch {

/// Names and tensors in order, with a kind and attributes. The tensors are views: the trainer keeps
/// ownership of their memory.
///
///     lightwatch::StateDict state_dict() {
///       lightwatch::StateDict dict;
///       dict.kind = "SGD";
///       dict.attributes = {{"lr", lr}, {"momentum", momentum}};
///       for (auto &[name, buffer] : buffers) dict.add("momentum_buffer/" + name, buffer);
///       return dict;
///     }
struct StateDict {
  /// The kind of the object: `AdamW`. Empty if it does not matter.
  std::optional<std::string> kind;
  /// Hyper-parameters, parameter groups, counters.
  Attributes attributes;
  std::vector<std::pair<std::string, TensorView>> tensors;
  /// Owns the memory of the tensors if they are views of temporary objects.
  std::shared_ptr<const void> owner;

  /// Adds a tensor of any type with TensorTraits. Throws std::invalid_argument, with the name, if
  /// no view of the tensor can be made.
  template <class T>
  StateDict &add(std::string name, T &&tensor) {
    static_assert(std::is_lvalue_reference_v<T> || !is_vector<std::decay_t<T>>::value,
                  "the memory of a vector that is temporary is gone when it is saved");
    try {
      tensors.emplace_back(std::move(name), detail::view_tensor(tensor));
    } catch (const std::invalid_argument &error) {
      throw std::invalid_argument("the tensor " + quote(name) + ": " + error.what());
    }
    return *this;
  }

 private:
  template <class T>
  struct is_vector : std::false_type {};
  template <class T>
  struct is_vector<std::vector<T>> : std::true_type {};
};

namespace detail {

template <class T, class = void>
struct has_state_dict : std::false_type {};
template <class T>
struct has_state_dict<T, std::void_t<decltype(std::declval<T &>().state_dict())>>
    : std::true_type {};

template <class T, class = void>
struct has_kind : std::false_type {};
template <class T>
struct has_kind<T, std::enable_if_t<std::is_convertible_v<decltype(std::declval<T &>().kind()),
                                                          std::optional<std::string>>>>
    : std::true_type {};

template <class T, class = void>
struct has_attributes : std::false_type {};
template <class T>
struct has_attributes<
    T, std::enable_if_t<std::is_convertible_v<decltype(std::declval<T &>().attributes()), Attributes>>>
    : std::true_type {};

template <class T, class = void>
struct has_key_and_value : std::false_type {};
template <class T>
struct has_key_and_value<T, std::void_t<decltype(std::string(std::declval<T &>().key())),
                                        decltype(std::declval<T &>().value())>> : std::true_type {};

/// Adds the entries of a range: pairs, or items with `key()` and `value()` as in LibTorch.
template <class Range>
void add_entries(StateDict &dict, Range &range) {
  for (auto &&entry : range) {
    using Entry = std::remove_reference_t<decltype(entry)>;
    if constexpr (has_key_and_value<Entry>::value) {
      auto &&tensor = entry.value();
      dict.add(std::string(entry.key()), tensor);
    } else {
      auto &&tensor = entry.second;
      dict.add(std::string(entry.first), tensor);
    }
  }
}

/// The state of a part of a trainer. The part has a `state_dict()`, which returns a StateDict or a
/// range of names and tensors, or it is such a range itself. Throws std::invalid_argument.
template <class Source>
StateDict collect_state(Source &source) {
  StateDict dict;
  if constexpr (std::is_same_v<std::remove_const_t<Source>, StateDict>) {
    return source;
  } else if constexpr (std::is_same_v<std::remove_const_t<Source>, State>) {
    add_entries(dict, source);
    if (source.kind()) dict.kind = std::string(*source.kind());
    dict.attributes = source.attributes();
    dict.owner = std::make_shared<State>(source);
    return dict;
  } else {
    if constexpr (has_state_dict<Source>::value) {
      using Returned = decltype(source.state_dict());
      if constexpr (std::is_same_v<std::decay_t<Returned>, StateDict>) {
        dict = source.state_dict();
      } else if constexpr (std::is_lvalue_reference_v<Returned>) {
        add_entries(dict, source.state_dict());
      } else {
        const auto held = std::make_shared<std::remove_const_t<Returned>>(source.state_dict());
        add_entries(dict, *held);
        dict.owner = held;
      }
    } else {
      add_entries(dict, source);
    }
    if constexpr (has_kind<Source>::value) {
      if (!dict.kind) dict.kind = source.kind();
    }
    if constexpr (has_attributes<Source>::value) {
      if (dict.attributes.empty()) dict.attributes = source.attributes();
    }
    return dict;
  }
}

/// The same for an optimizer, which may be absent: `nullptr`, a null pointer or an empty optional.
template <class Source>
std::optional<StateDict> collect_optional_state(Source &source) {
  using Plain = std::remove_const_t<Source>;
  if constexpr (std::is_same_v<Plain, std::nullptr_t> || std::is_same_v<Plain, std::nullopt_t>) {
    return std::nullopt;
  } else if constexpr (points_to_another<Source>::value &&
                       std::is_constructible_v<bool, Source &>) {
    if (!static_cast<bool>(source)) return std::nullopt;
    return collect_state(*source);
  } else {
    return collect_state(source);
  }
}

}  // namespace detail
}  // namespace lightwatch

#endif
