// A state, described by a checkpoint of it, that is saved again.

#ifndef LIGHTWATCH_WRITER_REWRITE_HPP
#define LIGHTWATCH_WRITER_REWRITE_HPP

#include <lightwatch/checkpoint.hpp>
#include <string>

namespace writer {

class Description {
 public:
  /// Loads a checkpoint and verifies it in full. Throws CheckpointError.
  explicit Description(const std::string &path)
      : checkpoint_(lightwatch::load_checkpoint(path)) {
    checkpoint_.verify();
    options_.epoch = checkpoint_.epoch;
    options_.step = checkpoint_.step;
    options_.loss = checkpoint_.loss();
    options_.metrics = checkpoint_.metrics();
    if (checkpoint_.config()) options_.config = checkpoint_.config_json;
    for (const lightwatch::State &extra : checkpoint_.extras()) {
      options_.extras.emplace_back(extra.name(), lightwatch::state_of(extra));
    }
    options_.sequence = checkpoint_.sequence();
    options_.saved_at = checkpoint_.saved_at();
  }

  /// Saves the states with their attributes, metrics, progress and tied tensors.
  lightwatch::SaveReport save(const std::string &path) const {
    return lightwatch::save_checkpoint(path, checkpoint_.model(), checkpoint_.optimizer(), options_);
  }

 private:
  lightwatch::Checkpoint checkpoint_;
  lightwatch::SaveOptions options_;
};

}  // namespace writer

#endif
