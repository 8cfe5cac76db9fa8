// The objects and the memory that a checkpoint's state can be restored into.

#ifndef LIGHTWATCH_CHECKPOINT_RESTORE_TARGET_HPP
#define LIGHTWATCH_CHECKPOINT_RESTORE_TARGET_HPP

#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include "lightwatch/checkpoint/attribute.hpp"
#include "lightwatch/checkpoint/state.hpp"
#include "lightwatch/checkpoint/state_dict.hpp"

namespace lightwatch {

namespace detail {

template <class T, class Dict, class = void>
struct loads : std::false_type {};
template <class T, class Dict>
struct loads<T, Dict,
             std::void_t<decltype(std::declval<T &>().load_state_dict(std::declval<Dict>()))>>
    : std::true_type {};

template <class T, class = void>
struct loads_strictly : std::false_type {};
template <class T>
struct loads_strictly<T, std::void_t<decltype(std::declval<T &>().load_state_dict(
                             std::declval<const State &>(), true))>> : std::true_type {};

template <class T, class = void>
struct has_load_attributes : std::false_type {};
template <class T>
struct has_load_attributes<T, std::void_t<decltype(std::declval<T &>().load_attributes(
                                  std::declval<const Attributes &>()))>> : std::true_type {};

template <class T, class = void>
struct has_creates_tensors : std::false_type {};
template <class T>
struct has_creates_tensors<T, std::void_t<decltype(bool(T::creates_tensors))>> : std::true_type {
};

/// What `state_dict()` returns, or the source itself if it has no `state_dict()`.
template <class T>
decltype(auto) dict_of(T &target) {
  if constexpr (has_state_dict<T>::value) {
    return target.state_dict();
  } else {
    return static_cast<T &>(target);
  }
}

}  // namespace detail

/// A part of a trainer that a state can be restored into: by its `load_state_dict()`, or directly
/// into the memory that its `state_dict()` lists. It refers to that part, which must outlive it.
///
/// A class may have, besides `state_dict()`:
///
/// - `load_state_dict(const lightwatch::State &)`, perhaps with a `bool strict`: it takes over the
///   state of the checkpoint. With `static constexpr bool creates_tensors = true` it takes tensors
///   that its `state_dict()` does not list yet.
/// - `load_state_dict(dict)` with the type that its `state_dict()` returns, filled by the library.
///   For tensors that are copies, or on a device.
/// - `load_attributes(const lightwatch::Attributes &)`, for tensors that are plain memory.
class RestoreTarget {
 public:
  template <class T>
  explicit RestoreTarget(T &target)
      : collect_([&target] { return detail::collect_state(target); }) {
    if constexpr (detail::has_load_attributes<T>::value) {
      load_attributes_ = [&target](const Attributes &attributes) {
        target.load_attributes(attributes);
      };
    }
    if constexpr (detail::has_creates_tensors<T>::value) creates_tensors_ = T::creates_tensors;
    using Dict = std::decay_t<decltype(detail::dict_of(target))>;
    if constexpr (detail::loads_strictly<T>::value) {
      load_state_ = [&target](const State &state, bool strict) {
        target.load_state_dict(state, strict);
      };
    } else if constexpr (detail::loads<T, const State &>::value) {
      load_state_ = [&target](const State &state, bool) { target.load_state_dict(state); };
    } else if constexpr (detail::loads<T, Dict &>::value) {
      load_dict_ = [&target](const Fill &fill) {
        Dict dict = target.state_dict();
        if constexpr (std::is_same_v<Dict, StateDict>) {
          fill(dict);
        } else {
          StateDict views;
          detail::add_entries(views, dict);
          fill(views);
        }
        target.load_state_dict(dict);
      };
    }
  }

  /// The names and the memory, as they are now.
  StateDict collect() const { return collect_(); }

  /// Whether the restore writes into the memory of the tensors itself.
  bool is_memory() const noexcept { return !load_state_ && !load_dict_; }

  /// Whether it takes tensors that its `state_dict()` does not list yet.
  bool creates_tensors() const noexcept { return creates_tensors_ && load_state_; }

  bool has_load_attributes() const noexcept { return static_cast<bool>(load_attributes_); }
  void load_attributes(const Attributes &attributes) const { load_attributes_(attributes); }

  /// Fills the tensors of a dict with those of a checkpoint.
  using Fill = std::function<void(StateDict &dict)>;

  /// Passes a state to the object. `fill` fills a dict with that state.
  void load(const State &state, bool strict, const Fill &fill) const {
    if (load_state_) {
      load_state_(state, strict);
    } else {
      load_dict_(fill);
    }
  }

 private:
  std::function<StateDict()> collect_;
  std::function<void(const Attributes &)> load_attributes_;
  std::function<void(const State &, bool)> load_state_;
  std::function<void(const Fill &)> load_dict_;
  bool creates_tensors_ = false;
};

}  // namespace lightwatch

#endif
