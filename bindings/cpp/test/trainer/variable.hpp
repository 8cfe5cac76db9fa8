// A small autograd: a variable knows its inputs, and how its gradient flows back to them.

#ifndef LIGHTWATCH_TRAINER_VARIABLE_HPP
#define LIGHTWATCH_TRAINER_VARIABLE_HPP

#include <cmath>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

namespace trainer {

/// Elements and a shape. Copies share the elements, as in most frameworks.
template <class T>
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(std::vector<std::size_t> shape, T value = T())
      : shape_(std::move(shape)), elements_(std::make_shared<std::vector<T>>(count(), value)) {}

  const std::vector<std::size_t> &shape() const { return shape_; }
  T *data() const { return elements_->data(); }
  std::size_t size() const { return elements_->size(); }
  T &operator[](std::size_t i) const { return (*elements_)[i]; }

 private:
  std::size_t count() const {
    std::size_t product = 1;
    for (const std::size_t length : shape_) product *= length;
    return product;
  }

  std::vector<std::size_t> shape_;
  std::shared_ptr<std::vector<T>> elements_;
};

/// A node of the computation graph. Copies are the same node.
class Variable {
 public:
  explicit Variable(Tensor<float> value, bool requires_grad = false)
      : node_(std::make_shared<Node>()) {
    node_->value = std::move(value);
    node_->requires_grad = requires_grad;
  }

  const Tensor<float> &value() const { return node_->value; }
  bool requires_grad() const { return node_->requires_grad; }

  /// Zeros until the first backward pass.
  Tensor<float> &grad() const {
    if (node_->grad.shape().empty()) node_->grad = Tensor<float>(node_->value.shape());
    return node_->grad;
  }

  void zero_grad() const {
    for (std::size_t i = 0; i < grad().size(); i++) grad()[i] = 0;
  }

  /// Adds the gradients of this variable, which has one element, to those of its inputs.
  void backward() const {
    std::vector<Node *> order;
    visit(*node_, order);
    grad()[0] = 1;
    for (auto node = order.rbegin(); node != order.rend(); ++node) {
      if ((*node)->backward) (*node)->backward();
    }
  }

  /// A variable computed from others; `backward` adds to their gradients.
  static Variable made_from(Tensor<float> value, std::vector<Variable> inputs,
                            const std::function<void(const Variable &made)> &backward) {
    Variable made(std::move(value), true);
    for (const Variable &input : inputs) made.node_->inputs.push_back(input.node_);
    // A strong reference would keep the node alive forever.
    const std::weak_ptr<Node> self = made.node_;
    made.node_->backward = [self, backward] { backward(Variable(self.lock())); };
    return made;
  }

 private:
  struct Node {
    Tensor<float> value;
    Tensor<float> grad;
    bool requires_grad = false;
    bool visited = false;
    std::vector<std::shared_ptr<Node>> inputs;
    std::function<void()> backward;
  };

  explicit Variable(std::shared_ptr<Node> node) : node_(std::move(node)) {}

  /// Inputs come before the nodes computed from them.
  static void visit(Node &node, std::vector<Node *> &order) {
    if (node.visited || !node.requires_grad) return;
    // The next graph visits the parameters again.
    node.visited = !node.inputs.empty();
    for (const std::shared_ptr<Node> &input : node.inputs) visit(*input, order);
    order.push_back(&node);
  }

  std::shared_ptr<Node> node_;
};

/// Rows of `input` [n, in] times `weight` [out, in], plus `bias` [out].
inline Variable linear(const Variable &input, const Variable &weight, const Variable &bias) {
  const std::size_t rows = input.value().shape()[0];
  const std::size_t in = weight.value().shape()[1];
  const std::size_t out = weight.value().shape()[0];
  Tensor<float> value({rows, out});
  for (std::size_t r = 0; r < rows; r++) {
    for (std::size_t o = 0; o < out; o++) {
      float sum = bias.value()[o];
      for (std::size_t i = 0; i < in; i++) {
        sum += input.value()[r * in + i] * weight.value()[o * in + i];
      }
      value[r * out + o] = sum;
    }
  }
  return Variable::made_from(value, {input, weight, bias}, [=](const Variable &made) {
    for (std::size_t r = 0; r < rows; r++) {
      for (std::size_t o = 0; o < out; o++) {
        const float grad = made.grad()[r * out + o];
        bias.grad()[o] += grad;
        for (std::size_t i = 0; i < in; i++) {
          weight.grad()[o * in + i] += grad * input.value()[r * in + i];
          if (input.requires_grad()) input.grad()[r * in + i] += grad * weight.value()[o * in + i];
        }
      }
    }
  });
}

inline Variable tanh(const Variable &input) {
  Tensor<float> value(input.value().shape());
  for (std::size_t i = 0; i < value.size(); i++) value[i] = std::tanh(input.value()[i]);
  return Variable::made_from(value, {input}, [=](const Variable &made) {
    for (std::size_t i = 0; i < value.size(); i++) {
      input.grad()[i] += made.grad()[i] * (1 - value[i] * value[i]);
    }
  });
}

/// The mean of the squares of the differences.
inline Variable mean_squared_error(const Variable &input, const Tensor<float> &expected) {
  const std::size_t count = expected.size();
  if (input.value().size() != count) throw std::invalid_argument("the shapes differ");
  Tensor<float> value({1});
  for (std::size_t i = 0; i < count; i++) {
    const float difference = input.value()[i] - expected[i];
    value[0] += difference * difference / static_cast<float>(count);
  }
  return Variable::made_from(value, {input}, [=](const Variable &made) {
    for (std::size_t i = 0; i < count; i++) {
      const float difference = input.value()[i] - expected[i];
      input.grad()[i] += made.grad()[0] * 2 * difference / static_cast<float>(count);
    }
  });
}

}  // namespace trainer

#endif
