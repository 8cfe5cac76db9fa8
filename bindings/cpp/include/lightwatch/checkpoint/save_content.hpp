// The content of one save: the validated states of the trainer, and the memory that each segment
// comes from. Tensors over exactly the same memory share one segment. No tensor is copied here.

#ifndef LIGHTWATCH_CHECKPOINT_SAVE_CONTENT_HPP
#define LIGHTWATCH_CHECKPOINT_SAVE_CONTENT_HPP

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lightwatch/checkpoint/attribute.hpp"
#include "lightwatch/checkpoint/dtype.hpp"
#include "lightwatch/checkpoint/json_text.hpp"
#include "lightwatch/checkpoint/metadata.hpp"
#include "lightwatch/checkpoint/name.hpp"
#include "lightwatch/checkpoint/name_index.hpp"
#include "lightwatch/checkpoint/name_map.hpp"
#include "lightwatch/checkpoint/quote.hpp"
#include "lightwatch/checkpoint/safe_integer.hpp"
#include "lightwatch/checkpoint/state_dict.hpp"
#include "lightwatch/checkpoint/utf8.hpp"

namespace lightwatch {
namespace detail {

/// The progress of a run, its metrics and its config.
struct Progress {
  std::int64_t epoch = 0;
  std::int64_t step = 0;
  std::optional<double> loss;
  NameMap<double> metrics;
  std::optional<std::string> config;
  std::optional<std::uint64_t> sequence;
  std::optional<std::uint64_t> saved_at;
};

/// A state under its name in the file, with the segment of each of its tensors.
struct StateContent {
  std::string name;
  StateDict dict;
  std::vector<std::size_t> segments;
};

/// The bytes of a segment, and the tensor that messages name.
struct SegmentSource {
  std::string_view state;
  std::string_view tensor;
  const std::uint8_t *bytes;
  std::uint64_t byte_length;
  /// Whether training can change the bytes while a save is running.
  bool changeable;
};

[[noreturn]] inline void refuse_content(const std::string &message) {
  throw std::invalid_argument(message);
}

/// Throws std::invalid_argument if a file cannot hold the text.
inline void validate_text(std::string_view text, const std::string &what) {
  if (!is_utf8(text)) refuse_content(what + " is not valid UTF-8");
}

inline void validate_name(std::string_view name, const std::string &what) {
  const char *fault = is_utf8(name) ? name_fault(name) : "is not valid UTF-8";
  if (fault != nullptr) refuse_content(what + ", " + quote(name) + ", " + fault);
}

/// Validates a value at `path`. `depth` is the number of tables around it: see `max_depth`.
inline void validate_attribute(const Attribute &value, const std::string &path,
                               std::uint64_t depth) {
  // The limit is that of the readers, so that every loaded value can be saved again.
  if (depth > max_depth) refuse_content(path + " is nested too deep");
  if (const std::string *text = value.text()) validate_text(*text, path);
  if (value.kind() == AttributeKind::integer && !is_safe(*value.int64())) {
    refuse_content(path + " is an integer beyond 2^53 - 1: give it as an int64");
  }
  if (const std::vector<Attribute> *list = value.list()) {
    for (std::size_t i = 0; i < list->size(); i++) {
      validate_attribute((*list)[i], path + "[" + std::to_string(i) + "]", depth + 1);
    }
  }
  if (const Attributes *map = value.map()) {
    for (const auto &[key, item] : *map) {
      validate_text(key, "a key in " + path);
      validate_attribute(item, path + "." + key, depth + 2);
    }
  }
}

/// Everything that a file will hold. `add` is called in file order: the model, the optimizer, the
/// extras. Throws std::invalid_argument with the name of the invalid part.
class SaveContent {
 public:
  explicit SaveContent(Progress progress) : progress_(std::move(progress)) { validate_progress(); }
  SaveContent(const SaveContent &) = delete;
  SaveContent &operator=(const SaveContent &) = delete;

  const Progress &progress() const noexcept { return progress_; }
  const std::vector<StateContent> &states() const noexcept { return states_; }
  bool has_optimizer() const noexcept { return has_optimizer_; }

  /// Indexed by segment number. The entries are views into this content.
  std::vector<SegmentSource> sources() const {
    std::vector<SegmentSource> sources;
    for (const StateContent &state : states_) {
      for (std::size_t i = 0; i < state.segments.size(); i++) {
        const auto &[name, view] = state.dict.tensors[i];
        if (state.segments[i] != sources.size()) continue;
        sources.push_back({state.name, name, static_cast<const std::uint8_t *>(view.data),
                           lengths_[sources.size()], !view.in_file});
      }
    }
    return sources;
  }

  /// Length of each segment in bytes.
  const std::vector<std::uint64_t> &segment_lengths() const noexcept { return lengths_; }

  void add_model(StateDict dict) { add(std::string(model_name), std::move(dict)); }

  void add_optimizer(StateDict dict) {
    has_optimizer_ = true;
    add(std::string(optimizer_name), std::move(dict));
  }

  void add_extra(const std::string &name, StateDict dict) {
    validate_name(name, "the name of an extra");
    bool taken = name == model_name || name == optimizer_name;
    for (const StateContent &state : states_) taken = taken || state.name == name;
    if (taken) refuse_content("the name of an extra, " + quote(name) + ", is taken");
    add(name, std::move(dict));
  }

 private:
  void validate_progress() const {
    const auto validate_integer = [](auto value, const char *what) {
      if (!is_safe(value)) {
        refuse_content(std::string(what) + " must be an integer of at most 2^53 - 1, not " +
                       std::to_string(value));
      }
    };
    validate_integer(progress_.epoch, "epoch");
    validate_integer(progress_.step, "step");
    if (progress_.sequence) validate_integer(*progress_.sequence, "sequence");
    if (progress_.saved_at) validate_integer(*progress_.saved_at, "saved_at");
    for (const auto &metric : progress_.metrics) {
      validate_name(metric.first, "the name of a metric");
    }
    if (!progress_.config) return;
    validate_text(*progress_.config, "config");
    if (!is_json(*progress_.config)) refuse_content("config is not JSON text");
  }

  void add(std::string name, StateDict dict) {
    const std::string shown = quote(name);
    if (dict.kind) validate_text(*dict.kind, "the kind of " + shown);
    for (const auto &[key, value] : dict.attributes) {
      validate_text(key, "a key in the attributes of " + shown);
      validate_attribute(value, name + ".attributes." + key, attribute_depth);
    }
    const auto &tensors = dict.tensors;
    const NameIndex index(tensors.size(),
                          [&](std::size_t i) { return std::string_view(tensors[i].first); });
    if (index.first_duplicate() != NameIndex::none) {
      refuse_content(shown + " has the tensor " + quote(tensors[index.first_duplicate()].first) +
                     " twice");
    }
    std::vector<std::size_t> segments;
    segments.reserve(tensors.size());
    for (const auto &[tensor, view] : tensors) {
      validate_name(tensor, "the name of a tensor of " + shown);
      segments.push_back(place(view, "the tensor " + quote(tensor) + " of " + shown));
    }
    states_.push_back({std::move(name), std::move(dict), std::move(segments)});
  }

  /// Returns the segment of a tensor: a new one, or that of an earlier tensor over the same memory.
  std::size_t place(const TensorView &view, const std::string &what) {
    if (dtype_name(view.dtype) == nullptr) refuse_content(what + " has an unknown dtype");
    if (view.shape.size() > max_rank) {
      refuse_content(what + " has " + std::to_string(view.shape.size()) +
                     " dimensions: expected at most " + std::to_string(max_rank));
    }
    const std::optional<std::uint64_t> length =
        tensor_byte_length(view.dtype, {view.shape.data(), view.shape.size()});
    if (!length) refuse_content(what + " has no whole and safe number of bytes");
    if (view.data == nullptr && *length > 0) refuse_content(what + " has no memory");
    const std::size_t next = lengths_.size();
    // An empty tensor has no memory that it could share.
    if (view.data != nullptr) {
      const auto [known, added] = known_.try_emplace({view.data, *length}, next);
      if (!added) return known->second;
    }
    lengths_.push_back(*length);
    return next;
  }

  Progress progress_;
  std::vector<StateContent> states_;
  bool has_optimizer_ = false;
  std::vector<std::uint64_t> lengths_;
  /// Segment numbers by address and length.
  std::map<std::pair<const void *, std::uint64_t>, std::size_t> known_;
};

}  // namespace detail
}  // namespace lightwatch

#endif
