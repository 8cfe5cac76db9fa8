// Compares a checkpoint with the objects that it will be restored into. Reads and writes no
// tensors.

#ifndef LIGHTWATCH_CHECKPOINT_COMPARE_HPP
#define LIGHTWATCH_CHECKPOINT_COMPARE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lightwatch/checkpoint/attribute.hpp"
#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/name_index.hpp"
#include "lightwatch/checkpoint/quote.hpp"
#include "lightwatch/checkpoint/state.hpp"
#include "lightwatch/checkpoint/state_dict.hpp"

namespace lightwatch {

/// A tensor by its state (`model`, `optimizer` or the name of an extra) and its name.
struct TensorKey {
  std::string state;
  std::string tensor;

  bool operator==(const TensorKey &other) const noexcept {
    return state == other.state && tensor == other.tensor;
  }
};

/// A tensor whose dtype or shape differs, or whose memory overlaps another tensor's.
struct TensorMismatch {
  TensorKey key;
  /// What the trainer has: `float32 [10, 32]`.
  std::string expected;
  /// What the checkpoint has.
  std::string actual;
};

/// The differences between a checkpoint and the trainer. All lists are empty if it fits.
struct StateComparison {
  /// Tensors that the trainer has and the checkpoint lacks.
  std::vector<TensorKey> missing;
  /// Tensors that the checkpoint has and the trainer lacks.
  std::vector<TensorKey> unexpected;
  std::vector<TensorMismatch> mismatched;
  /// Whole states that the trainer has and the checkpoint lacks.
  std::vector<std::string> missing_states;
};

/// CKPT_STATE_MISMATCH: the checkpoint does not fit the objects that it should be restored into.
class StateMismatchError : public CheckpointError {
 public:
  StateMismatchError(const std::string &message, StateComparison comparison)
      : CheckpointError(ErrorCode::state_mismatch, message),
        comparison_(std::make_shared<const StateComparison>(std::move(comparison))) {}

  const StateComparison &comparison() const noexcept { return *comparison_; }

 private:
  std::shared_ptr<const StateComparison> comparison_;
};

namespace detail {

/// `float32 [10, 32]`
inline std::string type_and_shape(DType dtype, Span<const std::uint64_t> shape) {
  const char *name = dtype_name(dtype);
  std::string text = std::string(name == nullptr ? "unknown" : name) + " [";
  for (std::size_t i = 0; i < shape.size(); i++) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + "]";
}

inline std::string key_text(const TensorKey &key) {
  const bool own = key.state == model_name || key.state == optimizer_name;
  return (own ? key.state : quote(key.state)) + ": " + quote(key.tensor);
}

/// Compares one state. `creates_tensors`: the trainer accepts tensors that it does not list yet.
inline void compare_state(const State &saved, const StateDict &target, bool creates_tensors,
                          StateComparison &comparison) {
  const std::string state(saved.name());
  for (const auto &[name, view] : target.tensors) {
    const std::optional<Tensor> tensor = saved.find(name);
    if (!tensor) {
      comparison.missing.push_back({state, name});
      continue;
    }
    const Span<const std::uint64_t> shape(view.shape.data(), view.shape.size());
    const Span<const std::uint64_t> saved_shape = tensor->shape();
    if (view.dtype == tensor->dtype() &&
        std::equal(shape.begin(), shape.end(), saved_shape.begin(), saved_shape.end())) {
      continue;
    }
    comparison.mismatched.push_back({{state, name},
                                     type_and_shape(view.dtype, shape),
                                     type_and_shape(tensor->dtype(), saved_shape)});
  }
  if (creates_tensors) return;
  const auto &tensors = target.tensors;
  const auto name_of = [&](std::size_t i) { return std::string_view(tensors[i].first); };
  const NameIndex index(tensors.size(), name_of);
  for (const auto &entry : saved) {
    if (index.find(entry.first, tensors.size(), name_of) == NameIndex::none) {
      comparison.unexpected.push_back({state, std::string(entry.first)});
    }
  }
}

/// The comparison in words, one line for each key.
inline std::vector<std::string> comparison_lines(const StateComparison &comparison) {
  std::vector<std::string> lines;
  for (const std::string &state : comparison.missing_states) {
    lines.push_back("missing from the checkpoint: all of " + quote(state));
  }
  for (const TensorKey &key : comparison.missing) {
    lines.push_back("missing from the checkpoint: " + key_text(key));
  }
  for (const TensorKey &key : comparison.unexpected) {
    lines.push_back("unexpected in the checkpoint: " + key_text(key));
  }
  for (const TensorMismatch &mismatch : comparison.mismatched) {
    lines.push_back("mismatched: " + key_text(mismatch.key) + " is " + mismatch.expected +
                    " here and " + mismatch.actual + " in the checkpoint");
  }
  return lines;
}

inline bool same_number(double a, double b) noexcept {
  return (a != a && b != b) || std::memcmp(&a, &b, sizeof a) == 0;
}

inline bool same_attributes(const Attributes &a, const Attributes &b);

/// Whether two values are equal. A whole number is equal as an integer and as a double, because the
/// languages that saved them may have only one of the two.
inline bool same_attribute(const Attribute &a, const Attribute &b) {
  if (a.number() && b.number()) return same_number(*a.number(), *b.number());
  if (a.int64() && b.int64()) return *a.int64() == *b.int64();
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case AttributeKind::null: return true;
    case AttributeKind::boolean: return a.boolean() == b.boolean();
    case AttributeKind::uint64: return a.uint64() == b.uint64();
    case AttributeKind::text: return *a.text() == *b.text();
    case AttributeKind::list:
      return std::equal(a.list()->begin(), a.list()->end(), b.list()->begin(), b.list()->end(),
                        same_attribute);
    case AttributeKind::map: return same_attributes(*a.map(), *b.map());
    // Handled above.
    case AttributeKind::integer:
    case AttributeKind::int64:
    case AttributeKind::float64: break;
  }
  return false;
}

/// Whether two maps have the same entries, in any order.
inline bool same_attributes(const Attributes &a, const Attributes &b) {
  return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&](const auto &entry) {
           const Attribute *other = b.find(entry.first);
           return other != nullptr && same_attribute(entry.second, *other);
         });
}

}  // namespace detail
}  // namespace lightwatch

#endif
