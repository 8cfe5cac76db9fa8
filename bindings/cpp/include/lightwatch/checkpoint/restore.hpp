// Restores a checkpoint into a model and an optimizer, all or nothing. Every name, dtype and shape
// is compared, and every checksum verified, before the first byte is written.

#ifndef LIGHTWATCH_CHECKPOINT_RESTORE_HPP
#define LIGHTWATCH_CHECKPOINT_RESTORE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "lightwatch/checkpoint/compare.hpp"
#include "lightwatch/checkpoint/concurrency.hpp"
#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/load.hpp"
#include "lightwatch/checkpoint/quote.hpp"
#include "lightwatch/checkpoint/restore_target.hpp"
#include "lightwatch/checkpoint/warning.hpp"

namespace lightwatch {

/// Options of a restore.
struct RestoreOptions {
  /// True: one error lists every key that is missing, unexpected or mismatched, and nothing is
  /// restored. False: missing and unexpected keys are skipped with a warning, and different kinds
  /// are ignored. A mismatch of dtype or shape is still an error.
  bool strict = true;
  /// Other objects to restore, by the names under which they were saved:
  /// `options.extras.emplace_back("ema", lightwatch::RestoreTarget(ema))`.
  std::vector<std::pair<std::string, RestoreTarget>> extras{};
  /// Takes warnings. By default they go to std::clog.
  OnWarning on_warning{};
};

/// The result of a restore.
struct RestoreReport {
  std::int64_t epoch;
  std::int64_t step;
  std::optional<double> loss;
  /// Number of tensors restored, and their length in bytes.
  std::size_t tensors = 0;
  std::uint64_t byte_length = 0;
  /// What was skipped. Empty if strict.
  std::vector<TensorKey> missing{};
  std::vector<TensorKey> unexpected{};
  std::vector<std::string> missing_states{};
};

namespace detail {

/// A state of the checkpoint and the target that it is restored into.
struct RestorePair {
  const RestoreTarget &target;
  StateDict dict;
  State saved;
};

class Restore {
 public:
  Restore(const Checkpoint &checkpoint, bool strict, const OnWarning &on_warning)
      : checkpoint_(checkpoint), strict_(strict), on_warning_(on_warning) {}

  /// Adds a target, which must live until `run` has returned.
  void add(const std::string &name, const RestoreTarget &target, const std::optional<State> &saved) {
    StateDict dict = target.collect();
    validate_names(name, dict);
    if (!saved) {
      comparison_.missing_states.push_back(name);
      return;
    }
    compare_state(*saved, dict, target.creates_tensors(), comparison_);
    pairs_.push_back({target, std::move(dict), *saved});
  }

  /// Compares and verifies everything, then restores it.
  RestoreReport run() {
    refuse_or_warn();
    RestoreReport report{checkpoint_.epoch, checkpoint_.step, checkpoint_.loss()};
    // Each segment once.
    std::set<std::uint64_t> offsets;
    std::vector<Tensor> tensors;
    for (const RestorePair &pair : pairs_) {
      for_each_wanted(pair, [&](const Tensor &tensor) {
        if (offsets.insert(tensor.offset()).second) tensors.push_back(tensor);
        report.tensors++;
        report.byte_length += tensor.byte_length();
      });
    }
    do_each(tensors.size(), [&](std::size_t i) { tensors[i].verify(); });
    for (const RestorePair &pair : pairs_) {
      if (pair.target.is_memory()) check_memory(pair);
    }
    check_clashes();
    take_over();
    report.missing = std::move(comparison_.missing);
    report.unexpected = std::move(comparison_.unexpected);
    report.missing_states = std::move(comparison_.missing_states);
    return report;
  }

 private:
  static void validate_names(const std::string &state, const StateDict &dict) {
    const auto &tensors = dict.tensors;
    const NameIndex index(tensors.size(),
                          [&](std::size_t i) { return std::string_view(tensors[i].first); });
    if (index.first_duplicate() == NameIndex::none) return;
    throw std::invalid_argument(quote(state) + " has the tensor " +
                                quote(tensors[index.first_duplicate()].first) + " twice");
  }

  /// Calls `use` with each tensor of the checkpoint that the target takes.
  template <class Use>
  static void for_each_wanted(const RestorePair &pair, const Use &use) {
    if (pair.target.creates_tensors()) {
      for (const auto &entry : pair.saved) use(entry.second);
      return;
    }
    for (const auto &entry : pair.dict.tensors) {
      if (const std::optional<Tensor> tensor = pair.saved.find(entry.first)) use(*tensor);
    }
  }

  void refuse_or_warn() const {
    std::vector<std::string> lines = comparison_lines(comparison_);
    for (const RestorePair &pair : pairs_) {
      const std::string name = quote(pair.saved.name());
      const std::optional<std::string> &kind = pair.dict.kind;
      if (kind && pair.saved.kind() && *kind != *pair.saved.kind()) {
        lines.push_back(name + " is " + quote(*kind) + " here and " + quote(*pair.saved.kind()) +
                        " in the checkpoint");
      }
      if (pair.target.is_memory() && !pair.target.has_load_attributes() &&
          !same_attributes(pair.saved.attributes(), pair.dict.attributes)) {
        lines.push_back(name + " has other attributes, and no load_attributes() to restore them");
      }
    }
    if (lines.empty()) return;
    std::string text;
    for (const std::string &line : lines) text += "\n  " + line;
    if (strict_ || !comparison_.mismatched.empty()) refuse(text);
    warn(on_warning_, "not everything was restored from the checkpoint:" + text);
  }

  [[noreturn]] void refuse(const std::string &lines) const {
    throw StateMismatchError(
        "nothing was restored, because the checkpoint does not fit:" + lines, comparison_);
  }

  /// Throws std::invalid_argument if the memory may not be written to, or is a copy that the model
  /// would not see.
  static void check_memory(const RestorePair &pair) {
    const std::string state = quote(pair.saved.name());
    const StateDict again = pair.target.collect();
    for (std::size_t i = 0; i < pair.dict.tensors.size(); i++) {
      const auto &[name, view] = pair.dict.tensors[i];
      if (view.data == nullptr) continue;
      if (view.target == nullptr) {
        throw std::invalid_argument("the tensor " + quote(name) + " of " + state +
                                    " may not be written to, and there is no load_state_dict()");
      }
      if (again.tensors.size() != pair.dict.tensors.size() ||
          again.tensors[i].second.data != view.data) {
        throw std::invalid_argument(
            "the state_dict() of " + state + " returns copies: what is restored into " +
            quote(name) + " would be lost. Return the model's own memory, or add a load_state_dict()");
      }
    }
  }

  /// A range of memory that will be written.
  struct Target {
    const std::uint8_t *start;
    std::uint64_t length;
    std::uint64_t offset;
    const RestorePair *pair;
    std::string_view name;
  };

  /// Throws if two tensors that differ in the file are over the same memory here.
  void check_clashes() const {
    std::vector<Target> targets;
    for (const RestorePair &pair : pairs_) {
      if (!pair.target.is_memory()) continue;
      for (const auto &[name, view] : pair.dict.tensors) {
        const std::optional<Tensor> tensor = pair.saved.find(name);
        if (!tensor || tensor->byte_length() == 0) continue;
        targets.push_back({static_cast<const std::uint8_t *>(view.target), tensor->byte_length(),
                           tensor->offset(), &pair, name});
      }
    }
    std::stable_sort(targets.begin(), targets.end(),
                     [](const Target &a, const Target &b) { return a.start < b.start; });
    StateComparison comparison;
    // Of the earlier targets, the one with the highest end.
    const Target *before = nullptr;
    for (const Target &target : targets) {
      if (before != nullptr && before->start + before->length > target.start) {
        const bool tied = before->start == target.start && before->length == target.length &&
                          before->offset == target.offset;
        if (!tied) {
          const TensorKey other{std::string(before->pair->saved.name()), std::string(before->name)};
          comparison.mismatched.push_back(
              {{std::string(target.pair->saved.name()), std::string(target.name)},
               "the same memory as " + key_text(other),
               "another tensor"});
        }
      }
      if (before == nullptr || before->start + before->length < target.start + target.length) {
        before = &target;
      }
    }
    if (comparison.mismatched.empty()) return;
    std::string text;
    for (const std::string &line : comparison_lines(comparison)) text += "\n  " + line;
    throw StateMismatchError(
        "nothing was restored, because the checkpoint does not fit:" + text, comparison);
  }

  /// Objects that take over a state can still refuse it, so they come first. Plain memory cannot
  /// refuse.
  void take_over() const {
    std::vector<const RestorePair *> handed_over;
    std::string restored;
    std::string current;
    const auto finished = [&](const RestorePair &pair) {
      restored += (restored.empty() ? "" : ", ") + quote(pair.saved.name());
    };
    try {
      for (const RestorePair &pair : pairs_) {
        if (!pair.target.has_load_attributes()) continue;
        current = "load_attributes() of " + quote(pair.saved.name());
        handed_over.push_back(&pair);
        pair.target.load_attributes(pair.saved.attributes());
      }
      for (const RestorePair &pair : pairs_) {
        if (pair.target.is_memory()) continue;
        current = "load_state_dict() of " + quote(pair.saved.name());
        pair.target.load(pair.saved, strict_, [&](StateDict &dict) {
          if (pair.saved.kind()) dict.kind = std::string(*pair.saved.kind());
          dict.attributes = pair.saved.attributes();
          copy_tensors(pair.saved, dict);
        });
        finished(pair);
      }
    } catch (const std::exception &cause) {
      for (const RestorePair *pair : handed_over) {
        try {
          pair->target.load_attributes(pair->dict.attributes);
        } catch (const std::exception &) {
          // This is probably the object that threw. The others must be put back in any case.
        }
      }
      incomplete("the " + current, restored, cause);
    }
    try {
      for (const RestorePair &pair : pairs_) {
        if (!pair.target.is_memory()) continue;
        copy_tensors(pair.saved, pair.dict);
        finished(pair);
      }
    } catch (const std::exception &cause) {
      incomplete("a copy into memory", restored, cause);
    }
  }

  static void copy_tensors(const State &saved, const StateDict &dict) {
    do_each(dict.tensors.size(), [&](std::size_t i) {
      const auto &[name, view] = dict.tensors[i];
      if (const std::optional<Tensor> tensor = saved.find(name)) {
        tensor->read_into(view.target, tensor->byte_length());
      }
    });
  }

  [[noreturn]] static void incomplete(const std::string &what, const std::string &restored,
                                      const std::exception &cause) {
    throw CheckpointError(ErrorCode::restore_incomplete,
                          what + " failed: " + cause.what() + " (restored in full before that: " +
                              (restored.empty() ? "nothing" : restored) + ")");
  }

  const Checkpoint &checkpoint_;
  bool strict_;
  const OnWarning &on_warning_;
  std::vector<RestorePair> pairs_;
  StateComparison comparison_;
};

}  // namespace detail

/// Restores a model, an optimizer (`nullptr` for none) and the extras of the options. RestoreTarget
/// lists what can be restored into.
///
/// Throws a StateMismatchError with every key in its lists, CKPT_TENSOR_CHECKSUM, or another error
/// for damage: nothing was restored. Throws CKPT_RESTORE_INCOMPLETE if a `load_state_dict()` threw,
/// or a read failed, after everything had been verified; the message says what was restored. Throws
/// std::invalid_argument if a `state_dict()` returns copies and there is no `load_state_dict()`.
template <class Model, class Optimizer>
RestoreReport restore_checkpoint(const Checkpoint &checkpoint, Model &&model, Optimizer &&optimizer,
                                 const RestoreOptions &options) {
  detail::Restore restore(checkpoint, options.strict, options.on_warning);
  const RestoreTarget model_target(model);
  restore.add(std::string(detail::model_name), model_target, checkpoint.model());
  std::optional<RestoreTarget> optimizer_target;
  using Plain = std::decay_t<Optimizer>;
  if constexpr (std::is_pointer_v<Plain>) {
    if (optimizer != nullptr) optimizer_target.emplace(*optimizer);
  } else if constexpr (!std::is_same_v<Plain, std::nullptr_t>) {
    optimizer_target.emplace(optimizer);
  }
  if (optimizer_target) {
    restore.add(std::string(detail::optimizer_name), *optimizer_target, checkpoint.optimizer());
  }
  for (const auto &[name, target] : options.extras) {
    restore.add(name, target, checkpoint.extra(name));
  }
  return restore.run();
}

/// The same, with the arguments in the framework's order.
template <class Model, class Optimizer>
RestoreReport restore_checkpoint(const Checkpoint &checkpoint, Model &&model, Optimizer &&optimizer,
                                 bool strict = true) {
  RestoreOptions options;
  options.strict = strict;
  return restore_checkpoint(checkpoint, model, optimizer, options);
}

/// The same, for a model only.
template <class Model>
RestoreReport restore_checkpoint(const Checkpoint &checkpoint, Model &&model) {
  return restore_checkpoint(checkpoint, model, nullptr, true);
}

}  // namespace lightwatch

#endif
