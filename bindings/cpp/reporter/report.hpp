// The contents of a file as a line of JSON: the report of test/conformance/README.md. Tensors are
// reported from the views that the library gives its users.

#ifndef LIGHTWATCH_REPORTER_REPORT_HPP
#define LIGHTWATCH_REPORTER_REPORT_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <lightwatch/checkpoint.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace reporter {

/// Longest tensor whose bytes are reported, in bytes.
constexpr std::size_t max_reported_bytes = 256;

inline std::string json_string(std::string_view text) {
  std::string json = "\"";
  while (!text.empty()) {
    // Text from a file has been verified as UTF-8, and all other text is ASCII.
    const auto [code, length] = lightwatch::detail::first_character(text);
    if (code == U'"' || code == U'\\') json += '\\';
    // Besides the escapes of JSON: characters that a line reader could take for the end of a line.
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029) {
      json += "\\u" + lightwatch::detail::hexadecimal(code, 4);
    } else {
      json += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return json + "\"";
}

inline std::string json_optional(std::optional<std::string_view> text) {
  return text ? json_string(*text) : "null";
}

/// The bits of a double, sign first. Every NaN is `nan`.
inline std::string json_double(double number) {
  if (std::isnan(number)) return "\"nan\"";
  std::uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof bits);
  return json_string(lightwatch::detail::hexadecimal(bits, 16));
}

/// A JSON array of `item` applied to each of `items`.
template <class Items, class Item>
std::string json_list(const Items &items, const Item &item) {
  std::string json = "[";
  for (const auto &each : items) json += (json.size() == 1 ? "" : ",") + item(each);
  return json + "]";
}

/// Pairs of names and values, sorted by the bytes of the names.
template <class T, class Value>
std::string json_pairs(const lightwatch::NameMap<T> &map, const Value &value) {
  std::vector<const std::pair<std::string, T> *> sorted;
  for (const auto &entry : map) sorted.push_back(&entry);
  // std::string compares as unsigned bytes.
  std::sort(sorted.begin(), sorted.end(), [](auto *a, auto *b) { return a->first < b->first; });
  return json_list(sorted, [&](auto *entry) {
    return "[" + json_string(entry->first) + "," + value(entry->second) + "]";
  });
}

inline std::string attribute(const lightwatch::Attribute &value) {
  using lightwatch::AttributeKind;
  switch (value.kind()) {
    case AttributeKind::null: return "null";
    case AttributeKind::boolean: return *value.boolean() ? "true" : "false";
    case AttributeKind::integer:
    case AttributeKind::float64: return "{\"number\":" + json_double(*value.number()) + "}";
    case AttributeKind::int64: return "{\"bigint\":\"" + std::to_string(*value.int64()) + "\"}";
    case AttributeKind::uint64: return "{\"bigint\":\"" + std::to_string(*value.uint64()) + "\"}";
    case AttributeKind::text: return json_string(*value.text());
    case AttributeKind::list: return json_list(*value.list(), attribute);
    case AttributeKind::map: return "{\"map\":" + json_pairs(*value.map(), attribute) + "}";
  }
  return "null";
}

inline std::string tensor(const lightwatch::Tensor &tensor) {
  const lightwatch::Span<const std::byte> view = tensor.bytes();
  const lightwatch::Span<const std::uint8_t> bytes{
      reinterpret_cast<const std::uint8_t *>(view.data()), view.size()};
  std::string hex = "null";
  if (bytes.size() <= max_reported_bytes) {
    hex = "\"";
    for (const std::uint8_t byte : bytes) hex += lightwatch::detail::hexadecimal(byte, 2);
    hex += "\"";
  }
  const std::uint32_t crc = lightwatch::detail::crc32(bytes.data(), bytes.size());
  return "{\"name\":" + json_string(tensor.name()) +                            //
         ",\"dtype\":" + json_string(lightwatch::dtype_name(tensor.dtype())) +  //
         ",\"shape\":" +
         json_list(tensor.shape(), [](auto n) { return "\"" + std::to_string(n) + "\""; }) +
         ",\"offset\":\"" + std::to_string(tensor.offset()) +  //
         "\",\"byte_length\":\"" + std::to_string(bytes.size()) + "\",\"crc32\":" +
         json_string(lightwatch::detail::hexadecimal(crc, 8)) + ",\"bytes\":" + hex + "}";
}

inline std::string state(const lightwatch::State &state) {
  return "{\"name\":" + json_string(state.name()) + ",\"kind\":" + json_optional(state.kind()) +
         ",\"attributes\":" + json_pairs(state.attributes(), attribute) + ",\"tensors\":" +
         json_list(state, [](const auto &entry) { return tensor(entry.second); }) + "}";
}

inline std::string json_integer(std::optional<std::uint64_t> number) {
  return number ? std::to_string(*number) : "null";
}

/// The report of a valid file. Throws CheckpointError if the file is not valid.
inline std::string accepted(const std::string &path, const lightwatch::LoadOptions &options) {
  const lightwatch::Checkpoint checkpoint = lightwatch::load_checkpoint(path, options);
  checkpoint.verify();
  return "{\"version\":" + std::to_string(checkpoint.version()) +
         ",\"metadata_length\":" + std::to_string(checkpoint.metadata_length()) +
         ",\"file_length\":" + std::to_string(checkpoint.byte_length()) +
         ",\"epoch\":" + std::to_string(checkpoint.epoch()) +
         ",\"step\":" + std::to_string(checkpoint.step()) +
         ",\"loss\":" + (checkpoint.loss() ? json_double(*checkpoint.loss()) : "null") +
         ",\"metrics\":" + json_pairs(checkpoint.metrics(), json_double) +
         ",\"config\":" + json_optional(checkpoint.config()) +
         ",\"sequence\":" + json_integer(checkpoint.sequence()) +
         ",\"saved_at\":" + json_integer(checkpoint.saved_at()) +
         ",\"states\":" + json_list(checkpoint.states(), state) + "}";
}

inline std::string refused(const lightwatch::CheckpointError &error) {
  return std::string("{\"error\":{\"code\":\"") + to_string(error.code()) +
         "\",\"rule\":" + (error.rule().empty() ? "null" : json_string(error.rule())) + "}}";
}

/// The report of a file, valid or not.
inline std::string report(const std::string &path, const lightwatch::LoadOptions &options = {}) {
  try {
    return accepted(path, options);
  } catch (const lightwatch::CheckpointError &error) {
    return refused(error);
  }
}

}  // namespace reporter

#endif
