// Modules: named parameters, and a state dict of them.

#ifndef LIGHTWATCH_TRAINER_MODULE_HPP
#define LIGHTWATCH_TRAINER_MODULE_HPP

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "variable.hpp"

namespace trainer {

/// xorshift64 (Marsaglia, 2003). Its state is an ordinary tensor.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_({1}, seed) {}

  /// From -1 to 1.
  float next() {
    std::uint64_t &state = state_[0];
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<float>(state >> 40) / static_cast<float>(1 << 23) - 1;
  }

  std::vector<std::pair<std::string, Tensor<std::uint64_t>>> state_dict() const {
    return {{"state", state_}};
  }

 private:
  Tensor<std::uint64_t> state_;
};

using StateDict = std::vector<std::pair<std::string, Tensor<float>>>;

class Module {
 public:
  virtual ~Module() = default;
  virtual Variable forward(const Variable &input) const = 0;

  const std::vector<std::pair<std::string, Variable>> &named_parameters() const {
    return parameters_;
  }

  /// The tensors are the module's own memory: writing to them changes the module.
  StateDict state_dict() const {
    StateDict dict;
    for (const auto &[name, parameter] : parameters_) dict.emplace_back(name, parameter.value());
    return dict;
  }

 protected:
  Variable add_parameter(std::string name, Tensor<float> value) {
    parameters_.emplace_back(std::move(name), Variable(std::move(value), true));
    return parameters_.back().second;
  }

  void add_module(const std::string &name, const Module &module) {
    for (const auto &[own, parameter] : module.named_parameters()) {
      parameters_.emplace_back(name + "." + own, parameter);
    }
  }

 private:
  std::vector<std::pair<std::string, Variable>> parameters_;
};

class Linear : public Module {
 public:
  Linear(std::size_t in, std::size_t out, Random &random)
      : weight_(add_parameter("weight", values({out, in}, in, random))),
        bias_(add_parameter("bias", values({out}, in, random))) {}

  Variable forward(const Variable &input) const override { return linear(input, weight_, bias_); }

 private:
  static Tensor<float> values(std::vector<std::size_t> shape, std::size_t in, Random &random) {
    Tensor<float> tensor(std::move(shape));
    for (std::size_t i = 0; i < tensor.size(); i++) {
      tensor[i] = random.next() / std::sqrt(static_cast<float>(in));
    }
    return tensor;
  }

  Variable weight_;
  Variable bias_;
};

/// Two layers with a tanh between them.
class Mlp : public Module {
 public:
  Mlp(std::size_t in, std::size_t hidden, std::size_t out, Random &random)
      : first_(in, hidden, random), second_(hidden, out, random) {
    add_module("first", first_);
    add_module("second", second_);
  }

  Variable forward(const Variable &input) const override {
    return second_.forward(tanh(first_.forward(input)));
  }

 private:
  Linear first_;
  Linear second_;
};

}  // namespace trainer

#endif
