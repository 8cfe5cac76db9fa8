/// Attributes: the typed tree of what a state is made of beside its tensors.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace lightwatch {

struct Attribute;

/// Keys are unique; the order is the writer's.
using Attributes = std::vector<std::pair<std::string, Attribute>>;

/// An integer of 64 bits that the writer kept apart from other numbers (a bigint of JavaScript).
struct BigInt {
  std::variant<std::int64_t, std::uint64_t> value;
};

/// std::int64_t is an integer that a double holds exactly; a list is a vector, a map is Attributes.
struct Attribute {
  std::variant<std::nullptr_t, bool, std::int64_t, BigInt, double, std::string,
               std::vector<Attribute>, Attributes>
      value;
};

}  // namespace lightwatch
