// What a checkpoint can be restored into. A restore is all or nothing.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <lightwatch/checkpoint.hpp>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "files.hpp"
#include "refusal.hpp"

namespace {

using lightwatch::Attributes;
using lightwatch::RestoreOptions;
using lightwatch::RestoreTarget;
using lightwatch::SaveOptions;
using lightwatch::State;
using lightwatch::StateDict;

using Floats = std::map<std::string, std::vector<float>>;

/// Plain memory.
struct Memory {
  Floats tensors;
  Floats &state_dict() { return tensors; }
};

/// As on a device: its state dict is a copy, and must be passed back.
struct Copies {
  Floats tensors;
  bool fails = false;
  Floats state_dict() const { return tensors; }
  void load_state_dict(const Floats &dict) {
    if (fails) throw std::runtime_error("the device is gone");
    tensors = dict;
  }
};

/// Creates its buffers on first use, as some optimizers do.
struct Lazy {
  static constexpr bool creates_tensors = true;
  Floats tensors;
  bool strict = false;
  Floats &state_dict() { return tensors; }
  void load_state_dict(const State &state, bool is_strict) {
    strict = is_strict;
    for (const auto &[name, tensor] : state) {
      const auto elements = tensor.as<float>();
      tensors[std::string(name)] = {elements.begin(), elements.end()};
    }
  }
};

/// With attributes that it takes back or refuses.
struct Scheduler {
  double best = 0;
  bool fails = false;
  Floats tensors;
  Floats &state_dict() { return tensors; }
  Attributes attributes() const { return {{"best", best}}; }
  void load_attributes(const Attributes &attributes) {
    best = attributes.at("best").number().value();
    if (fails) throw std::runtime_error("no");
  }
};

class Restore : public testing::Test {
 protected:
  Restore() { lightwatch::save_checkpoint(path_, saved_, optimizer_, 1, 2, 0.5); }

  lightwatch::Checkpoint load() const { return lightwatch::load_checkpoint(path_); }

  Scratch scratch_;
  const std::string path_ = scratch_.path("run.ckpt");
  Memory saved_{{{"a", {1, 2}}, {"b", {3}}}};
  Memory optimizer_{{{"exp_avg/a", {4, 5}}}};
};

TEST_F(Restore, WritesIntoPlainMemory) {
  Memory model{{{"a", {0, 0}}, {"b", {0}}}};
  Memory optimizer{{{"exp_avg/a", {0, 0}}}};
  const auto report = lightwatch::restore_checkpoint(load(), model, optimizer);
  EXPECT_EQ(model.tensors, saved_.tensors);
  EXPECT_EQ(optimizer.tensors, optimizer_.tensors);
  EXPECT_EQ(report.tensors, 3u);
  EXPECT_EQ(report.byte_length, 20u);
  EXPECT_EQ(report.step, 2);
}

TEST_F(Restore, HandsCopiesBack) {
  Copies model;
  model.tensors = {{"a", {0, 0}}, {"b", {0}}};
  lightwatch::restore_checkpoint(load(), model);
  EXPECT_EQ(model.tensors, saved_.tensors);
}

TEST_F(Restore, RefusesCopiesThatWouldBeLost) {
  struct Lost {
    Floats tensors{{"a", {0, 0}}, {"b", {0}}};
    Floats state_dict() const { return tensors; }
  } lost;
  EXPECT_THROW(lightwatch::restore_checkpoint(load(), lost), std::invalid_argument);
  struct Constant {
    Floats tensors{{"a", {0, 0}}, {"b", {0}}};
    const Floats &state_dict() const { return tensors; }
  } constant;
  EXPECT_THROW(lightwatch::restore_checkpoint(load(), constant), std::invalid_argument);
}

TEST_F(Restore, LetsAStateTakeTensorsThatItDoesNotListYet) {
  Lazy optimizer;
  Memory model{{{"a", {0, 0}}, {"b", {0}}}};
  lightwatch::restore_checkpoint(load(), model, optimizer);
  EXPECT_EQ(optimizer.tensors, optimizer_.tensors);
  EXPECT_TRUE(optimizer.strict);
}

TEST_F(Restore, ChecksEveryChecksumBeforeTheFirstByteIsWritten) {
  for (const char *damaged : {"b", "exp_avg/a"}) {
    Bytes bytes = read_bytes(path_);
    {
      const auto checkpoint = load();
      const auto tensor = checkpoint.model_state.contains(damaged)
                              ? checkpoint.model_state[damaged]
                              : checkpoint.optimizer_state[damaged];
      bytes[static_cast<std::size_t>(tensor.offset())] ^= 1;
    }
    for (const bool verify : {true, false}) {
      lightwatch::LoadOptions options;
      options.verify = verify;
      const auto checkpoint =
          lightwatch::load_checkpoint(scratch_.file("damaged.ckpt", bytes), options);
      Memory model{{{"a", {0, 0}}, {"b", {0}}}};
      Memory optimizer{{{"exp_avg/a", {0, 0}}}};
      EXPECT_EQ(refusal([&] { lightwatch::restore_checkpoint(checkpoint, model, optimizer); }),
                "CKPT_TENSOR_CHECKSUM");
      EXPECT_EQ(model.tensors, (Floats{{"a", {0, 0}}, {"b", {0}}}));
      EXPECT_EQ(optimizer.tensors, (Floats{{"exp_avg/a", {0, 0}}}));
    }
  }
}

TEST_F(Restore, OfAStateThatTheCheckpointLacksIsRefusedOrSkipped) {
  Memory model{{{"a", {0, 0}}, {"b", {0}}}};
  Memory ema{{{"a", {0, 0}}}};
  RestoreOptions options;
  options.extras.emplace_back("ema", RestoreTarget(ema));
  EXPECT_EQ(refusal([&] { lightwatch::restore_checkpoint(load(), model, nullptr, options); }),
            "CKPT_STATE_MISMATCH");
  EXPECT_EQ(model.tensors.at("a")[0], 0);
  options.strict = false;
  int warnings = 0;
  options.on_warning = [&](const std::string &) { warnings++; };
  const auto report = lightwatch::restore_checkpoint(load(), model, nullptr, options);
  EXPECT_EQ(report.missing_states, std::vector<std::string>{"ema"});
  EXPECT_EQ(warnings, 1);
  EXPECT_EQ(model.tensors, saved_.tensors);
}

TEST_F(Restore, RefusesTwoNamesOverOneMemoryThatTheFileKeepsApart) {
  std::vector<float> memory(4);
  struct Overlapping {
    std::vector<float> &memory;
    StateDict state_dict() const {
      StateDict dict;
      dict.add("a", lightwatch::TensorView(lightwatch::DType::float32, {2}, memory.data()));
      dict.add("b", lightwatch::TensorView(lightwatch::DType::float32, {1}, memory.data() + 1));
      return dict;
    }
  } model{memory};
  EXPECT_EQ(refusal([&] { lightwatch::restore_checkpoint(load(), model); }), "CKPT_STATE_MISMATCH");
  EXPECT_EQ(memory, std::vector<float>(4));
}

TEST_F(Restore, OfAttributesIsUndoneWhenALaterStateRefuses) {
  Scheduler scheduler;
  scheduler.best = 3;
  SaveOptions options;
  options.extras.emplace_back("scheduler", lightwatch::state_of(scheduler));
  lightwatch::save_checkpoint(path_, saved_, nullptr, options);
  Scheduler target;
  target.best = 7;
  RestoreOptions restore;
  restore.extras.emplace_back("scheduler", RestoreTarget(target));
  Copies model;
  model.tensors = {{"a", {0, 0}}, {"b", {0}}};
  model.fails = true;
  EXPECT_EQ(refusal([&] { lightwatch::restore_checkpoint(load(), model, nullptr, restore); }),
            "CKPT_RESTORE_INCOMPLETE");
  EXPECT_EQ(target.best, 7);
  model.fails = false;
  lightwatch::restore_checkpoint(load(), model, nullptr, restore);
  EXPECT_EQ(target.best, 3);
  EXPECT_EQ(model.tensors, saved_.tensors);
}

TEST_F(Restore, LosesNoAttributeOrKindInSilence) {
  StateDict dict;
  std::vector<float> tensor{1};
  dict.kind = "AdamW";
  dict.attributes = {{"lr", 1}};
  dict.add("a", tensor);
  lightwatch::save_checkpoint(path_, dict, nullptr, SaveOptions{});
  const auto refused = [&](const StateDict &target) {
    return refusal([&] { lightwatch::restore_checkpoint(load(), target); });
  };
  EXPECT_EQ(refused(dict), "");
  StateDict other = dict;
  // A whole number is the same as an integer or as a double.
  other.attributes = {{"lr", 1.0}};
  EXPECT_EQ(refused(other), "");
  other.attributes = {{"lr", 0.5}};
  EXPECT_EQ(refused(other), "CKPT_STATE_MISMATCH");
  other = dict;
  other.kind = "SGD";
  EXPECT_EQ(refused(other), "CKPT_STATE_MISMATCH");
  other.kind.reset();
  EXPECT_EQ(refused(other), "");
}

}  // namespace
