// Prints the contents of a checkpoint: its progress, then each state with its attributes and
// tensors.
//
//   inspect run/step-1000.ckpt

#include <algorithm>
#include <cstdint>
#include <exception>
#include <iomanip>
#include <iostream>
#include <lightwatch/checkpoint.hpp>
#include <string>
#include <string_view>

namespace {

/// Text from a file, in quotation marks and safe to print.
std::string shown(std::string_view text) { return lightwatch::quote(text); }

void print(const lightwatch::Attribute &value) {
  using lightwatch::AttributeKind;
  switch (value.kind()) {
    case AttributeKind::null: std::cout << "null"; break;
    case AttributeKind::boolean: std::cout << (*value.boolean() ? "true" : "false"); break;
    case AttributeKind::integer:
    case AttributeKind::int64: std::cout << *value.int64(); break;
    case AttributeKind::uint64: std::cout << *value.uint64(); break;
    case AttributeKind::float64: std::cout << *value.float64(); break;
    case AttributeKind::text: std::cout << shown(*value.text()); break;
    case AttributeKind::list: {
      const char *before = "[";
      for (const lightwatch::Attribute &item : *value.list()) {
        std::cout << before;
        print(item);
        before = ", ";
      }
      std::cout << (value.list()->empty() ? "[]" : "]");
      break;
    }
    case AttributeKind::map: {
      const char *before = "{";
      for (const auto &[key, item] : *value.map()) {
        std::cout << before << shown(key) << ": ";
        print(item);
        before = ", ";
      }
      std::cout << (value.map()->empty() ? "{}" : "}");
      break;
    }
  }
}

/// The smallest and the largest element of a float32 tensor.
void print_range(const lightwatch::Tensor &tensor) {
  if (tensor.dtype() != lightwatch::DType::float32 || tensor.byte_length() == 0) return;
  const lightwatch::Span<const float> elements = tensor.as<float>();
  const auto [least, greatest] = std::minmax_element(elements.begin(), elements.end());
  std::cout << "  " << *least << " to " << *greatest;
}

void print(const lightwatch::State &state) {
  std::cout << "\n" << shown(state.name());
  if (state.kind()) std::cout << ", " << shown(*state.kind());
  std::cout << "\n";
  for (const auto &[key, value] : state.attributes()) {
    std::cout << "  " << shown(key) << ": ";
    print(value);
    std::cout << "\n";
  }
  for (const auto &[name, tensor] : state) {
    std::cout << "  " << shown(name) << "  " << lightwatch::dtype_name(tensor.dtype()) << " [";
    const char *before = "";
    for (const std::uint64_t length : tensor.shape()) {
      std::cout << before << length;
      before = ", ";
    }
    std::cout << "]";
    print_range(tensor);
    std::cout << "\n";
  }
}

}  // namespace

int main(int count, char **arguments) {
  if (count != 2) {
    std::cerr << "usage: inspect FILE\n";
    return 2;
  }
  try {
    const lightwatch::Checkpoint checkpoint = lightwatch::load_checkpoint(arguments[1]);
    std::cout << std::setprecision(17) << "epoch " << checkpoint.epoch() << ", step "
              << checkpoint.step();
    if (checkpoint.loss()) std::cout << ", loss " << *checkpoint.loss();
    std::cout << "\n";
    for (const auto &[name, value] : checkpoint.metrics()) {
      std::cout << shown(name) << ": " << value << "\n";
    }
    for (const lightwatch::State &state : checkpoint.states()) print(state);
  } catch (const std::exception &error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
