// Optimizers, whose buffers are named after their parameters.

#ifndef LIGHTWATCH_TRAINER_OPTIMIZER_HPP
#define LIGHTWATCH_TRAINER_OPTIMIZER_HPP

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <lightwatch/checkpoint.hpp>
#include <string>
#include <utility>
#include <vector>

#include "module.hpp"

namespace trainer {

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  virtual void step() = 0;
  virtual std::string kind() const = 0;
  virtual lightwatch::Attributes attributes() const = 0;
  virtual void load_attributes(const lightwatch::Attributes &attributes) = 0;

  void zero_grad() const {
    for (const auto &entry : parameters_) entry.second.zero_grad();
  }

  const StateDict &state_dict() const { return buffers_; }

  float lr;

 protected:
  Optimizer(const Module &module, float rate) : lr(rate), parameters_(module.named_parameters()) {}

  /// Zeros for each parameter, as `name/parameter`.
  std::size_t add_buffers(const std::string &name) {
    const std::size_t first = buffers_.size();
    for (const auto &[parameter, variable] : parameters_) {
      buffers_.emplace_back(name + "/" + parameter, Tensor<float>(variable.value().shape()));
    }
    return first;
  }

  std::vector<std::pair<std::string, Variable>> parameters_;
  StateDict buffers_;
};

/// With momentum.
class Sgd : public Optimizer {
 public:
  Sgd(const Module &module, float rate, float momentum)
      : Optimizer(module, rate), momentum_(momentum) {
    add_buffers("momentum_buffer");
  }

  void step() override {
    for (std::size_t p = 0; p < parameters_.size(); p++) {
      const Variable &parameter = parameters_[p].second;
      const Tensor<float> &velocity = buffers_[p].second;
      for (std::size_t i = 0; i < velocity.size(); i++) {
        velocity[i] = momentum_ * velocity[i] + parameter.grad()[i];
        parameter.value()[i] -= lr * velocity[i];
      }
    }
  }

  std::string kind() const override { return "SGD"; }
  lightwatch::Attributes attributes() const override {
    return {{"lr", lr}, {"momentum", momentum_}};
  }
  void load_attributes(const lightwatch::Attributes &attributes) override {
    lr = static_cast<float>(attributes.at("lr").number().value());
    momentum_ = static_cast<float>(attributes.at("momentum").number().value());
  }

 private:
  float momentum_;
};

class AdamW : public Optimizer {
 public:
  AdamW(const Module &module, float rate)
      : Optimizer(module, rate),
        first_(add_buffers("exp_avg")),
        second_(add_buffers("exp_avg_sq")) {}

  void step() override {
    steps_++;
    const auto t = static_cast<float>(steps_);
    for (std::size_t p = 0; p < parameters_.size(); p++) {
      const Variable &parameter = parameters_[p].second;
      const Tensor<float> &mean = buffers_[first_ + p].second;
      const Tensor<float> &square = buffers_[second_ + p].second;
      for (std::size_t i = 0; i < mean.size(); i++) {
        const float grad = parameter.grad()[i];
        mean[i] = 0.9f * mean[i] + 0.1f * grad;
        square[i] = 0.999f * square[i] + 0.001f * grad * grad;
        const float corrected = mean[i] / (1 - std::pow(0.9f, t));
        const float scale = std::sqrt(square[i] / (1 - std::pow(0.999f, t))) + 1e-8f;
        parameter.value()[i] -= lr * (corrected / scale + 0.01f * parameter.value()[i]);
      }
    }
  }

  std::string kind() const override { return "AdamW"; }
  lightwatch::Attributes attributes() const override { return {{"lr", lr}, {"step", steps_}}; }
  void load_attributes(const lightwatch::Attributes &attributes) override {
    lr = static_cast<float>(attributes.at("lr").number().value());
    steps_ = attributes.at("step").int64().value();
  }

 private:
  std::size_t first_;
  std::size_t second_;
  std::int64_t steps_ = 0;
};

}  // namespace trainer

#endif
