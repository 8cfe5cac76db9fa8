// The rules of the format: which values of decoded metadata fit together. They explain every byte
// of a file: each segment has one possible position, and the file ends with its last segment.

#ifndef LIGHTWATCH_CHECKPOINT_RULES_HPP
#define LIGHTWATCH_CHECKPOINT_RULES_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/layout.hpp"
#include "lightwatch/checkpoint/metadata.hpp"
#include "lightwatch/checkpoint/name.hpp"
#include "lightwatch/checkpoint/quote.hpp"
#include "lightwatch/checkpoint/segment.hpp"

namespace lightwatch {
namespace detail {

class Rules {
 public:
  explicit Rules(Metadata &metadata) : metadata_(metadata) {}

  /// Verifies the rules and returns the file's segments in file order. Sets the segment numbers of
  /// the tensors and the indexes of the states. Throws CKPT_FORMAT with the broken rule.
  std::vector<Segment> check() {
    check_state_names();
    for (const auto &metric : metadata_.metrics) {
      if (const char *fault = name_fault(metric.first)) {
        broken(rule::metric_name, "a metric's name, " + quote(metric.first) + ", " + fault);
      }
    }
    end_ = metadata_.metadata_length;
    for (StateRecord &state : metadata_.states) {
      state_ = &state;
      std::vector<TensorRecord> &tensors = state.tensors;
      state.tensor_index =
          NameIndex(tensors.size(), [&tensors](std::size_t i) { return tensors[i].name; });
      for (std::size_t i = 0; i < tensors.size(); i++) {
        tensor_ = &tensors[i];
        check_tensor(tensors[i], i == state.tensor_index.first_duplicate());
      }
    }
    state_ = nullptr;
    tensor_ = nullptr;
    if (end_ != metadata_.file_length) {
      broken(rule::file_length, "the file has " + std::to_string(metadata_.file_length - end_) +
                                " bytes after its last segment");
    }
    return std::move(segments_);
  }

 private:
  void check_state_names() const {
    const std::vector<StateRecord> &states = metadata_.states;
    require_name(states[0], model_name);
    if (metadata_.has_optimizer) require_name(states[1], optimizer_name);
    const std::size_t first = metadata_.has_optimizer ? 2 : 1;
    const NameIndex index(states.size() - first,
                          [&](std::size_t i) { return states[first + i].name; });
    for (std::size_t i = first; i < states.size(); i++) {
      const std::string_view name = states[i].name;
      const bool taken =
          name == model_name || name == optimizer_name || i - first == index.first_duplicate();
      const char *fault = taken ? "is taken" : name_fault(name);
      if (fault != nullptr) {
        broken(rule::state_name, "an extra's name, " + quote(name) + ", " + fault);
      }
    }
  }

  void require_name(const StateRecord &state, std::string_view expected) const {
    if (state.name == expected) return;
    broken(rule::state_name,
           "the " + std::string(expected) + "'s state is called " + quote(state.name));
  }

  void check_tensor(TensorRecord &tensor, bool duplicate) {
    if (const char *fault = name_fault(tensor.name)) {
      broken(rule::tensor_name, "a tensor's name, " + quote(tensor.name) + ", " + fault);
    }
    if (duplicate) broken(rule::tensor_unique, "the tensor " + quote(tensor.name) + " appears twice");
    if (tensor_byte_length(tensor.dtype, tensor.shape()) != tensor.byte_length) {
      broken(rule::tensor_byte_length, quote(tensor.name) + " has " +
                                       std::to_string(tensor.byte_length) +
                                       " bytes, which is not what its dtype and shape take");
    }
    const std::uint64_t expected = segment_start(end_);
    // A segment that starts after all earlier ones is new; any other must be a known one.
    if (tensor.offset == expected) {
      add_segment(tensor);
    } else {
      share_segment(tensor, expected);
    }
    const bool plain = is_plain_flatbuffer(metadata_.file_length);
    if (tensor.vector_offset != (plain ? tensor.offset - length_bytes : 0)) {
      broken(rule::tensor_data,
             plain ? "the data of " + quote(tensor.name) + " and its offset disagree"
                   : quote(tensor.name) + " has data, which a file of 2 GiB or more cannot have");
    }
  }

  void add_segment(TensorRecord &tensor) {
    tensor.segment = static_cast<std::uint32_t>(segments_.size());
    segments_.push_back({end_, tensor.offset, tensor.byte_length, tensor.crc32});
    // Both are less than 2^53.
    end_ = tensor.offset + tensor.byte_length;
    if (end_ > metadata_.file_length) {
      broken(rule::tensor_range, quote(tensor.name) + " reaches to byte " + std::to_string(end_) +
                                 ", beyond the end of the file at " +
                                 std::to_string(metadata_.file_length));
    }
  }

  void share_segment(TensorRecord &tensor, std::uint64_t expected) const {
    const auto known = std::lower_bound(
        segments_.begin(), segments_.end(), tensor.offset,
        [](const Segment &segment, std::uint64_t offset) { return segment.offset < offset; });
    if (known == segments_.end() || known->offset != tensor.offset) {
      broken(rule::tensor_offset, quote(tensor.name) + " is at byte " + std::to_string(tensor.offset) +
                                  ", and has to be at " + std::to_string(expected));
    }
    if (known->byte_length != tensor.byte_length || known->crc32 != tensor.crc32) {
      broken(rule::tensor_alias,
             quote(tensor.name) +
                 " shares its place with a tensor of another length or checksum");
    }
    tensor.segment = static_cast<std::uint32_t>(known - segments_.begin());
  }

  [[noreturn]] void broken(const char *rule, const std::string &message) const {
    ErrorDetails details;
    details.rule = rule;
    if (state_ != nullptr) details.state = state_->name;
    if (tensor_ != nullptr) {
      details.tensor = tensor_->name;
      details.offset = tensor_->offset;
    }
    throw CheckpointError(ErrorCode::format, message, details);
  }

  Metadata &metadata_;
  std::vector<Segment> segments_;
  /// End of the bytes that are explained so far, in bytes.
  std::uint64_t end_ = 0;
  const StateRecord *state_ = nullptr;
  const TensorRecord *tensor_ = nullptr;
};

}  // namespace detail
}  // namespace lightwatch

#endif
