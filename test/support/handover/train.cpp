// One leg of a run that several languages train in turns: `train FROM STEPS TO`. See train.ts.
//
// Compiled with -ffp-contract=off: a multiplication and an addition that are fused round once.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <lightwatch/checkpoint.hpp>
#include <optional>
#include <string>
#include <vector>

namespace {

constexpr std::size_t inputs = 5;
constexpr std::int64_t steps_an_epoch = 16;

/// As a framework's own class of tensors: memory with a shape.
struct Tensor {
  std::vector<std::uint64_t> dimensions;
  std::vector<float> elements;

  float *data() { return elements.data(); }
  const std::vector<std::uint64_t> &shape() const { return dimensions; }
};

struct Linear {
  Tensor weight{{1, inputs}, std::vector<float>(inputs)};
  Tensor bias{{1}, std::vector<float>(1)};

  lightwatch::StateDict state_dict() {
    lightwatch::StateDict dict;
    dict.kind = "Linear";
    dict.add("weight", weight).add("bias", bias);
    return dict;
  }
};

struct Sgd {
  double lr = 0.05;
  double momentum = 0.9;
  Tensor weight{{1, inputs}, std::vector<float>(inputs)};
  Tensor bias{{1}, std::vector<float>(1)};

  lightwatch::StateDict state_dict() {
    lightwatch::StateDict dict;
    dict.kind = "SGD";
    dict.attributes = {{"lr", lr}, {"momentum", momentum}};
    dict.add("momentum_buffer/weight", weight).add("momentum_buffer/bias", bias);
    return dict;
  }

  void load_attributes(const lightwatch::Attributes &attributes) {
    lr = attributes.find("lr")->number().value();
    momentum = attributes.find("momentum")->number().value();
  }

  void update(float &value, float &velocity, float gradient) const {
    velocity = static_cast<float>(momentum) * velocity + gradient;
    value = value - static_cast<float>(lr) * velocity;
  }
};

struct Sampler {
  std::int64_t state = 1;

  lightwatch::StateDict state_dict() {
    lightwatch::StateDict dict;
    dict.attributes = {{"state", state}};
    return dict;
  }

  void load_attributes(const lightwatch::Attributes &attributes) {
    state = static_cast<std::int64_t>(attributes.find("state")->number().value());
  }

  float draw() {
    state = state * 48271 % 2147483647;
    return static_cast<float>(static_cast<double>(state % 2001) / 1024 - 1);
  }
};

float train(Linear &model, Sgd &optimizer, Sampler &sampler) {
  std::array<float, inputs> x{};
  for (float &value : x) value = sampler.draw();
  const float wanted = x[0] - x[1] * 0.5f;
  float sum = model.bias.elements[0];
  for (std::size_t i = 0; i < inputs; i++) sum = sum + model.weight.elements[i] * x[i];
  const float error = sum - wanted;
  for (std::size_t i = 0; i < inputs; i++) {
    optimizer.update(model.weight.elements[i], optimizer.weight.elements[i], error * x[i]);
  }
  optimizer.update(model.bias.elements[0], optimizer.bias.elements[0], error);
  return error * error;
}

}  // namespace

int main(int, char **arguments) {
  const std::string from = arguments[1];
  const int steps = std::atoi(arguments[2]);
  Linear model;
  Sgd optimizer;
  Sampler sampler;
  lightwatch::SaveOptions save;
  if (from != "-") {
    const auto checkpoint = lightwatch::load_checkpoint(from);
    lightwatch::RestoreOptions options;
    options.extras.emplace_back("sampler", lightwatch::RestoreTarget(sampler));
    const auto report = lightwatch::restore_checkpoint(checkpoint, model, optimizer, options);
    save.step = report.step;
    save.loss = report.loss;
  }
  for (int n = 0; n < steps; n++, save.step++) {
    save.loss = static_cast<double>(train(model, optimizer, sampler));
  }
  save.epoch = save.step / steps_an_epoch;
  save.metrics = {{"loss/train", save.loss.value()}};
  save.config = R"({"inputs":5,"data":"drawn"})";
  save.extras.emplace_back("sampler", lightwatch::state_of(sampler));
  lightwatch::save_checkpoint(arguments[3], model, optimizer, save);
}
