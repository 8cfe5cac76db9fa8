// The reporter of the conformance tests: paths on standard input, one a line; for each a report, one line
// of JSON, on standard output.

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <iostream>
#include <string>

#include "lightwatch/checkpoint.hpp"

namespace {

using lightwatch::Attribute;
using lightwatch::Attributes;

std::string hex(const char* format, std::uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string string_json(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00" + hex("%02" PRIx64, static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string double_json(double value) {
  if (std::isnan(value)) return "\"nan\"";
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return "\"" + hex("%016" PRIx64, bits) + "\"";
}

std::string number_json(std::uint64_t value) { return "\"" + std::to_string(value) + "\""; }

std::string optional_json(const std::optional<std::string>& text) {
  return text ? string_json(*text) : "null";
}

template <typename Items, typename Json>
std::string list_json(const Items& items, Json json) {
  std::string out = "[";
  for (const auto& item : items) out += (out.size() > 1 ? "," : "") + json(item);
  return out + "]";
}

std::string attribute_json(const Attribute& attribute);

/// Sorted by the bytes of the names, as reports are.
template <typename Pairs, typename Json>
std::string pairs_json(Pairs pairs, Json json) {
  std::sort(pairs.begin(), pairs.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return list_json(pairs, [&](const auto& pair) {
    return "[" + string_json(pair.first) + "," + json(pair.second) + "]";
  });
}

std::string attributes_json(const Attributes& attributes) {
  return pairs_json(attributes, attribute_json);
}

struct AttributeJson {
  std::string operator()(std::nullptr_t) const { return "null"; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return (*this)(static_cast<double>(value)); }
  std::string operator()(double value) const { return "{\"number\":" + double_json(value) + "}"; }
  std::string operator()(const lightwatch::BigInt& big) const {
    const std::string digits =
        std::visit([](auto value) { return std::to_string(value); }, big.value);
    return "{\"bigint\":\"" + digits + "\"}";
  }
  std::string operator()(const std::string& text) const { return string_json(text); }
  std::string operator()(const std::vector<Attribute>& list) const {
    return list_json(list, attribute_json);
  }
  std::string operator()(const Attributes& map) const {
    return "{\"map\":" + attributes_json(map) + "}";
  }
};

std::string attribute_json(const Attribute& attribute) {
  return std::visit(AttributeJson{}, attribute.value);
}

std::string tensor_json(const lightwatch::Tensor& tensor) {
  const auto bytes = tensor.bytes();
  std::string shown = "null";
  if (bytes.size() <= 256) {
    shown = "\"";
    for (const std::uint8_t byte : bytes) shown += hex("%02" PRIx64, byte);
    shown += "\"";
  }
  return "{\"name\":" + string_json(tensor.name()) + ",\"dtype\":" +
         string_json(lightwatch::dtype_name(tensor.dtype())) +
         ",\"shape\":" + list_json(tensor.shape(), number_json) +
         ",\"offset\":" + number_json(tensor.offset()) +
         ",\"byte_length\":" + number_json(bytes.size()) + ",\"crc32\":\"" +
         hex("%08" PRIx64, lightwatch::detail::crc32(bytes.data(), bytes.size())) +
         "\",\"bytes\":" + shown + "}";
}

std::string state_json(const lightwatch::State& state) {
  return "{\"name\":" + string_json(state.name()) + ",\"kind\":" + optional_json(state.kind()) +
         ",\"attributes\":" + attributes_json(state.attributes()) +
         ",\"tensors\":" + list_json(state.tensors(), tensor_json) + "}";
}

std::string report(const std::string& path) {
  try {
    const lightwatch::Checkpoint checkpoint = lightwatch::load_checkpoint(path);
    checkpoint.verify();
    return "{\"version\":" + std::to_string(checkpoint.version()) +
           ",\"metadata_length\":" + std::to_string(checkpoint.metadata_length()) +
           ",\"file_length\":" + std::to_string(checkpoint.byte_length()) +
           ",\"epoch\":" + std::to_string(checkpoint.epoch()) +
           ",\"step\":" + std::to_string(checkpoint.step()) +
           ",\"loss\":" + (checkpoint.loss() ? double_json(*checkpoint.loss()) : "null") +
           ",\"metrics\":" + pairs_json(checkpoint.metrics(), double_json) +
           ",\"config\":" + optional_json(checkpoint.config()) +
           ",\"states\":" + list_json(checkpoint.states(), state_json) + "}";
  } catch (const lightwatch::CheckpointError& error) {
    const std::string rule = error.rule().empty() ? "null" : string_json(error.rule());
    return "{\"error\":{\"code\":" + string_json(error.code()) + ",\"rule\":" + rule + "}}";
  }
}

}  // namespace

int main() {
  for (std::string path; std::getline(std::cin, path);) std::cout << report(path) << std::endl;
}
