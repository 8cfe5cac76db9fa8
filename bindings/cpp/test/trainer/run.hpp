// A training run: a model, its optimizer, and the random generator of its batches.

#ifndef LIGHTWATCH_TRAINER_RUN_HPP
#define LIGHTWATCH_TRAINER_RUN_HPP

#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "module.hpp"
#include "optimizer.hpp"

namespace trainer {

struct Run {
  explicit Run(const std::string &optimizer_kind)
      : random(0x9e3779b97f4a7c15), model(2, 16, 1, random) {
    if (optimizer_kind == "SGD") {
      optimizer = std::make_unique<Sgd>(model, 0.05f, 0.9f);
    } else {
      optimizer = std::make_unique<AdamW>(model, 0.01f);
    }
  }

  /// Trains to predict whether two numbers have the same sign, and returns the losses.
  std::vector<float> train(int steps) {
    std::vector<float> losses;
    for (int step = 0; step < steps; step++) {
      constexpr std::size_t rows = 8;
      Tensor<float> batch({rows, 2});
      Tensor<float> labels({rows, 1});
      for (std::size_t r = 0; r < rows; r++) {
        batch[2 * r] = random.next();
        batch[2 * r + 1] = random.next();
        labels[r] = std::signbit(batch[2 * r]) == std::signbit(batch[2 * r + 1]) ? 1.0f : 0.0f;
      }
      const Variable loss = mean_squared_error(model.forward(Variable(batch)), labels);
      optimizer->zero_grad();
      loss.backward();
      optimizer->step();
      losses.push_back(loss.value()[0]);
    }
    return losses;
  }

  Random random;
  Mlp model;
  std::unique_ptr<Optimizer> optimizer;
};

}  // namespace trainer

#endif
