#include <gtest/gtest.h>

#include <cstdint>
#include <lightwatch/checkpoint/checkpoint_generated.h>
#include <lightwatch/checkpoint/dtype.hpp>
#include <optional>
#include <string>
#include <vector>

namespace {

using lightwatch::DType;
using lightwatch::detail::tensor_byte_length;

constexpr std::uint64_t two_to(unsigned power) { return std::uint64_t{1} << power; }

std::optional<std::uint64_t> length_of(DType dtype, const std::vector<std::uint64_t> &shape) {
  return tensor_byte_length(dtype, {shape.data(), shape.size()});
}

TEST(DType, NumbersAndNamesAreThoseOfTheSchema) {
  std::size_t known = 0;
  for (int code = 0; code < 256; code++) {
    const char *name = lightwatch::dtype_name(static_cast<DType>(code));
    std::string expected;
    if (code != 0 && code <= lightwatch::format::DType_MAX) {
      expected = EnumNameDType(static_cast<lightwatch::format::DType>(code));
    }
    // flatc appends an underscore to C++ keywords.
    if (expected == "bool_") expected = "bool";
    EXPECT_EQ(name == nullptr ? "" : name, expected) << code;
    EXPECT_EQ(lightwatch::dtype_bits(static_cast<DType>(code)) != 0, name != nullptr) << code;
    known += name == nullptr ? 0 : 1;
  }
  EXPECT_EQ(known, 25u);
}

TEST(DType, LengthIsTheProductTimesTheWidth) {
  EXPECT_EQ(length_of(DType::float32, {}), 4u);
  EXPECT_EQ(length_of(DType::float32, {2, 3}), 24u);
  EXPECT_EQ(length_of(DType::complex128, {5}), 80u);
  EXPECT_EQ(length_of(DType::float6_e2m3fn, {4}), 3u);
  EXPECT_EQ(length_of(DType::float6_e2m3fn, {2}), std::nullopt);
  EXPECT_EQ(length_of(DType::float4_e2m1fn, {2}), 1u);
  EXPECT_EQ(length_of(DType::float4_e2m1fn, {3}), std::nullopt);
  EXPECT_EQ(length_of(DType::uint8, {0, 7}), 0u);
}

TEST(DType, NoProductMayPass2To53) {
  EXPECT_EQ(length_of(DType::uint8, {two_to(53) - 1}), two_to(53) - 1);
  EXPECT_EQ(length_of(DType::uint8, {two_to(53)}), std::nullopt);
  EXPECT_EQ(length_of(DType::uint8, {two_to(26), two_to(26)}), two_to(52));
  EXPECT_EQ(length_of(DType::uint8, {two_to(26), two_to(27)}), std::nullopt);
  EXPECT_EQ(length_of(DType::uint16, {two_to(52)}), std::nullopt);
  // 2^64 wraps to 0.
  EXPECT_EQ(length_of(DType::uint8, {two_to(32), two_to(32)}), std::nullopt);
  EXPECT_EQ(length_of(DType::uint8, {two_to(63), 2}), std::nullopt);
  // An empty dimension does not hide them.
  EXPECT_EQ(length_of(DType::uint8, {0, two_to(32), two_to(32)}), std::nullopt);
  EXPECT_EQ(length_of(DType::uint8, {two_to(30), two_to(30), 0}), std::nullopt);
  // Packed dtypes are counted in bits.
  EXPECT_EQ(length_of(DType::float4_e2m1fn, {two_to(50)}), two_to(49));
  EXPECT_EQ(length_of(DType::float4_e2m1fn, {two_to(51)}), std::nullopt);
}

}  // namespace
