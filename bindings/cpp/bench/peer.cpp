// The library as a peer of the repository's benchmarks (bench/contender.ts): reads one JSON object
// per line and prints one for each.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <lightwatch/checkpoint.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "json.hpp"
#include "report.hpp"

namespace {

/// The same as in bench/state.ts: element `k` of tensor number `index`, as the bits of a float.
std::uint32_t bits_of(std::size_t index, std::size_t k) {
  const auto mixed = static_cast<std::uint32_t>(k) * 2654435761u + static_cast<std::uint32_t>(index) * 40503u;
  return (mixed >> 9) | 0x3f800000u;
}

/// The state in this process's memory.
class State {
 public:
  explicit State(const std::string &spec_path) {
    std::ifstream file(spec_path);
    const Json spec = JsonReader::read(std::string(std::istreambuf_iterator<char>(file), {}));
    for (const Json &tensor : spec.items) {
      std::vector<std::uint64_t> shape;
      std::uint64_t count = 1;
      for (const Json &length : tensor["shape"].items) {
        shape.push_back(std::stoull(length.text));
        count *= shape.back();
      }
      tensors_.push_back(std::vector<std::uint32_t>(static_cast<std::size_t>(count)));
      std::vector<std::uint32_t> &bits = tensors_.back();
      for (std::size_t k = 0; k < bits.size(); k++) bits[k] = bits_of(tensors_.size() - 1, k);
      lightwatch::StateDict &dict = tensor["state"].text == "model" ? model : optimizer;
      dict.add(tensor["name"].text,
               lightwatch::TensorView(lightwatch::DType::float32, shape, bits.data()));
    }
  }

  std::uint64_t byte_length() const {
    std::uint64_t length = 0;
    for (const auto &bits : tensors_) length += 4 * bits.size();
    return length;
  }

  void wipe() {
    for (auto &bits : tensors_) std::memset(bits.data(), 0, 4 * bits.size());
  }

  /// Compares a sample of each tensor with its initial values. Throws if they differ.
  void check_restored() const {
    for (std::size_t i = 0; i < tensors_.size(); i++) {
      const auto &bits = tensors_[i];
      if (bits.back() == bits_of(i, bits.size() - 1)) continue;
      throw std::runtime_error("tensor number " + std::to_string(i) + " was not restored");
    }
  }

  lightwatch::StateDict model;
  lightwatch::StateDict optimizer;

 private:
  std::vector<std::vector<std::uint32_t>> tensors_;
};

template <class Run>
double seconds(const Run &run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Answers a request with a JSON value.
std::string answer(const Json &request, std::unique_ptr<State> &state) {
  const std::string &call = request["call"].text;
  const Json &given = request["args"];
  if (call == "load") {
    state = std::make_unique<State>(given["spec"].text);
    return std::to_string(state->byte_length());
  }
  const std::string &path = given["path"].text;
  if (call == "save") {
    lightwatch::SaveOptions options;
    options.epoch = 1;
    options.step = 1000;
    options.durable = given["durable"].boolean;
    return std::to_string(seconds(
        [&] { lightwatch::save_checkpoint(path, state->model, state->optimizer, options); }));
  }
  if (call == "restore") {
    state->wipe();
    const double taken = seconds([&] {
      lightwatch::restore_checkpoint(lightwatch::load_checkpoint(path), state->model,
                                     state->optimizer);
    });
    state->check_restored();
    return std::to_string(taken);
  }
  throw std::runtime_error("no call " + call);
}

}  // namespace

int main() {
  std::unique_ptr<State> state;
  for (std::string line; std::getline(std::cin, line);) {
    const Json request = JsonReader::read(line);
    std::string reply = "{\"id\":" + request["id"].text;
    try {
      reply += ",\"value\":" + answer(request, state);
    } catch (const std::exception &error) {
      reply += ",\"error\":" + reporter::json_string(error.what());
    }
    std::cout << reply << "}" << std::endl;
  }
}
