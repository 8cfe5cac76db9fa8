// Attributes: hyper-parameters, parameter groups, counters, as a typed tree.

#ifndef LIGHTWATCH_CHECKPOINT_ATTRIBUTE_HPP
#define LIGHTWATCH_CHECKPOINT_ATTRIBUTE_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "lightwatch/checkpoint/name_map.hpp"
#include "lightwatch/checkpoint/safe_integer.hpp"

namespace lightwatch {

class Attribute;

/// The attributes of a state, and those of a map in them.
using Attributes = NameMap<Attribute>;

/// The kind of an attribute's value; the numbers are those of the file.
enum class AttributeKind : std::uint8_t {
  null = 1,
  boolean = 2,
  /// An integer that a double holds exactly, at most 2^53 - 1 either way. In the writer's language
  /// it was an ordinary number.
  integer = 3,
  /// Any int64.
  int64 = 4,
  /// An integer from 2^63 up.
  uint64 = 5,
  /// Any double, including NaN, the infinities and -0.
  float64 = 6,
  text = 7,
  list = 8,
  map = 9
};

/// A node of the tree: a value that owns its content, and can be copied and kept. (Copies share the
/// maps below them, which do not change.)
class Attribute {
 public:
  /// Null.
  Attribute() = default;

  /// A number, a boolean or a text, by its type. An integer beyond 2^53 - 1 is an int64 or a uint64.
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Attribute(T value) : Attribute(of_number(value)) {}
  Attribute(std::string value) : Attribute(of_text(std::move(value))) {}
  Attribute(const char *value) : Attribute(of_text(value)) {}
  Attribute(std::vector<Attribute> value) : Attribute(of_list(std::move(value))) {}
  Attribute(Attributes value);

  static Attribute of_boolean(bool value) { return {AttributeKind::boolean, value}; }
  static Attribute of_integer(std::int64_t value) { return {AttributeKind::integer, value}; }
  static Attribute of_int64(std::int64_t value) { return {AttributeKind::int64, value}; }
  static Attribute of_uint64(std::uint64_t value) { return {AttributeKind::uint64, value}; }
  static Attribute of_float64(double value) { return {AttributeKind::float64, value}; }
  static Attribute of_text(std::string value) { return {AttributeKind::text, std::move(value)}; }
  static Attribute of_list(std::vector<Attribute> value) {
    return {AttributeKind::list, std::move(value)};
  }
  static Attribute of_map(Attributes value);

  AttributeKind kind() const noexcept { return kind_; }
  bool is_null() const noexcept { return kind_ == AttributeKind::null; }

  /// The value of each kind, or nothing if the attribute has another kind.
  std::optional<bool> boolean() const noexcept { return value_of<bool>(AttributeKind::boolean); }
  std::optional<double> float64() const noexcept { return value_of<double>(AttributeKind::float64); }
  std::optional<std::uint64_t> uint64() const noexcept {
    return value_of<std::uint64_t>(AttributeKind::uint64);
  }
  /// Of kinds integer and int64.
  std::optional<std::int64_t> int64() const noexcept {
    const auto *value = std::get_if<std::int64_t>(&value_);
    return value == nullptr ? std::nullopt : std::optional<std::int64_t>(*value);
  }
  /// A number in the writer's language, integer or not: of kinds integer and float64.
  std::optional<double> number() const noexcept {
    if (kind_ == AttributeKind::integer) return static_cast<double>(std::get<std::int64_t>(value_));
    return float64();
  }
  /// Null if the attribute has another kind. The pointers are valid as long as this attribute.
  const std::string *text() const noexcept { return std::get_if<std::string>(&value_); }
  const std::vector<Attribute> *list() const noexcept {
    return std::get_if<std::vector<Attribute>>(&value_);
  }
  const Attributes *map() const noexcept {
    const auto *value = std::get_if<std::shared_ptr<const Attributes>>(&value_);
    return value == nullptr ? nullptr : value->get();
  }

 private:
  using Value = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string,
                             std::vector<Attribute>, std::shared_ptr<const Attributes>>;

  Attribute(AttributeKind kind, Value value) : value_(std::move(value)), kind_(kind) {}

  template <class T>
  static Attribute of_number(T value) {
    if constexpr (std::is_same_v<T, bool>) {
      return of_boolean(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      return of_float64(static_cast<double>(value));
    } else if constexpr (std::is_signed_v<T>) {
      const auto wide = static_cast<std::int64_t>(value);
      return detail::is_safe(wide) ? of_integer(wide) : of_int64(wide);
    } else {
      const auto wide = static_cast<std::uint64_t>(value);
      if (detail::is_safe(wide)) return of_integer(static_cast<std::int64_t>(wide));
      return of_uint64(wide);
    }
  }

  template <class T>
  std::optional<T> value_of(AttributeKind kind) const noexcept {
    return kind_ == kind ? std::optional<T>(std::get<T>(value_)) : std::nullopt;
  }

  Value value_;
  AttributeKind kind_ = AttributeKind::null;
};

inline Attribute::Attribute(Attributes value) : Attribute(of_map(std::move(value))) {}

inline Attribute Attribute::of_map(Attributes value) {
  return {AttributeKind::map, std::make_shared<const Attributes>(std::move(value))};
}

}  // namespace lightwatch

#endif
