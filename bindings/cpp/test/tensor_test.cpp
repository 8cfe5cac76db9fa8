// The views of tensors: each dtype by its types and by no others, and the owner of the memory.

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <lightwatch/checkpoint.hpp>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "files.hpp"
#include "refusal.hpp"

#if __cplusplus >= 202002L
#include <span>
#endif

namespace {

/// A user's own type for float16.
struct Half {
  std::uint16_t bits;
};

/// A type that is wider than its declared dtype.
struct Wide {
  std::uint8_t bytes[64];
};

}  // namespace

template <>
struct lightwatch::Element<Half> {
  static constexpr bool holds(DType dtype) { return dtype == DType::float16; }
};

template <>
struct lightwatch::Element<Wide> {
  static constexpr bool holds(DType dtype) { return dtype == DType::uint8; }
};

namespace {

using lightwatch::DType;
using lightwatch::load_checkpoint;
using lightwatch::Span;
using lightwatch::Tensor;

lightwatch::LoadOptions read_options() {
  lightwatch::LoadOptions options;
  options.map = false;
  return options;
}

/// Whether T views a tensor. If so, compares all of its elements and their bytes.
template <class T>
bool views(const Tensor &tensor) {
  const std::string refused = refusal([&] { tensor.as<T>(); });
  if (!refused.empty()) {
    EXPECT_EQ(refused, "CKPT_STATE_MISMATCH");
    return false;
  }
  const Span<const T> elements = tensor.as<T>();
  const auto bytes = tensor.bytes();
  EXPECT_EQ(static_cast<const void *>(elements.data()), bytes.data());
  EXPECT_EQ(elements.size_bytes(), bytes.size());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(elements.data()) % 64, 0u);
  return true;
}

std::vector<std::string> viewers(const Tensor &tensor) {
  std::vector<std::string> names;
  const auto add = [&](bool is, const char *name) {
    if (is) names.emplace_back(name);
  };
  add(views<double>(tensor), "double");
  add(views<float>(tensor), "float");
  add(views<std::int8_t>(tensor), "int8");
  add(views<std::int16_t>(tensor), "int16");
  add(views<std::int32_t>(tensor), "int32");
  add(views<std::int64_t>(tensor), "int64");
  add(views<std::uint8_t>(tensor), "uint8");
  add(views<std::uint16_t>(tensor), "uint16");
  add(views<std::uint32_t>(tensor), "uint32");
  add(views<std::uint64_t>(tensor), "uint64");
  add(views<std::complex<float>>(tensor), "complex64");
  add(views<std::complex<double>>(tensor), "complex128");
  add(views<Half>(tensor), "Half");
  EXPECT_TRUE(views<std::byte>(tensor));
  // As wide as int64, but a distinct type in C++.
  EXPECT_EQ(views<long long>(tensor), views<std::int64_t>(tensor));
  return names;
}

class Views : public testing::TestWithParam<bool> {
 protected:
  static lightwatch::Checkpoint load() {
    return GetParam() ? load_checkpoint(golden_path())
                      : load_checkpoint(golden_path(), read_options());
  }
};

TEST_P(Views, EveryDTypeHasItsTypesAndNoOther) {
  using Names = std::vector<std::string>;
  const auto checkpoint = load();
  std::size_t count = 0;
  const auto of = [&](const std::string &dtype) {
    count++;
    const Tensor tensor = checkpoint.model().at("dtype/" + dtype);
    EXPECT_EQ(lightwatch::dtype_name(tensor.dtype()), dtype);
    EXPECT_EQ(tensor.element_count(), 8u);
    return viewers(tensor);
  };
  EXPECT_EQ(of("float64"), Names{"double"});
  EXPECT_EQ(of("float32"), Names{"float"});
  EXPECT_EQ(of("float16"), (Names{"uint16", "Half"}));
  EXPECT_EQ(of("bfloat16"), Names{"uint16"});
  for (const char *dtype :
       {"float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu",
        "float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn", "uint8", "bool"}) {
    EXPECT_EQ(of(dtype), Names{"uint8"}) << dtype;
  }
  for (const char *dtype : {"int8", "int16", "int32", "int64", "uint16", "uint32", "uint64",
                            "complex64", "complex128"}) {
    EXPECT_EQ(of(dtype), Names{dtype}) << dtype;
  }
  EXPECT_EQ(count, 23u);
  // Dtypes that are newer than the golden file.
  const auto young = load_checkpoint(corpus("valid/integers-of-4-bits.ckpt"));
  for (const char *dtype : {"int4", "uint4"}) {
    const Tensor tensor = young.model().at(std::string("dtype/") + dtype);
    EXPECT_EQ(lightwatch::dtype_name(tensor.dtype()), std::string(dtype));
    EXPECT_EQ(tensor.element_count(), 8u);
    EXPECT_EQ(viewers(tensor), Names{"uint8"}) << dtype;
  }
}

TEST_P(Views, ElementsAreThoseThatWereSaved) {
  const auto checkpoint = load();
  const auto floats = checkpoint.model().at("floats").as<float>();
  const std::uint32_t expected[] = {0x7fc00000, 0x7fa00001, 0xffc12345, 0x80000000,
                                    0x00000000, 0x7f800000, 0xff800000, 0x00000001};
  ASSERT_EQ(floats.size(), 8u);
  // Compared as bits, because two of them are NaN.
  EXPECT_EQ(std::memcmp(floats.data(), expected, sizeof expected), 0);
  EXPECT_EQ(floats[7], std::numeric_limits<float>::denorm_min());

  const auto state = checkpoint.extra("rng/\xf0\x9f\x8e\xb2")->at("state").as<std::uint64_t>();
  const std::vector<std::uint64_t> numbers(state.begin(), state.end());
  EXPECT_EQ(numbers, (std::vector<std::uint64_t>{1, std::uint64_t{1} << 63, ~std::uint64_t{0}, 0}));
}

TEST_P(Views, ScalarsAndEmptyTensorsAreTensors) {
  const auto checkpoint = load();
  const Tensor scalar = checkpoint.model().at("scalar");
  EXPECT_TRUE(scalar.shape().empty());
  EXPECT_EQ(scalar.element_count(), 1u);
  ASSERT_EQ(scalar.as<double>().size(), 1u);
  EXPECT_TRUE(std::signbit(scalar.as<double>()[0]));
  const Tensor empty = checkpoint.model().at("empty");
  EXPECT_EQ(empty.element_count(), 0u);
  EXPECT_TRUE(empty.as<float>().empty());
  EXPECT_EQ(empty.as<float>().begin(), empty.as<float>().end());
}

TEST_P(Views, TiedWeightsAreOneMemory) {
  const auto checkpoint = load();
  const Tensor embedding = checkpoint.model().at("embedding.weight");
  const Tensor head = checkpoint.model().at("head.weight");
  EXPECT_TRUE(embedding.shares_memory_with(head));
  EXPECT_TRUE(embedding.shares_memory_with(checkpoint.extra("ema")->at("embedding.weight")));
  EXPECT_FALSE(embedding.shares_memory_with(checkpoint.model().at("floats")));
  EXPECT_FALSE(embedding.shares_memory_with(load().model().at("embedding.weight")));
  EXPECT_EQ(embedding.as<float>().data(), head.as<float>().data());
  EXPECT_EQ(head.shape()[0], 5u);
}

TEST_P(Views, AreGoodForAsLongAsAnyHandle) {
  std::optional<Tensor> tensor = load().model().at("embedding.weight");
  const Span<const float> elements = tensor->as<float>();
  const std::vector<float> copy(elements.begin(), elements.end());
  std::shared_ptr<const void> owner = tensor->owner();
  tensor.reset();
  EXPECT_EQ(std::memcmp(elements.data(), copy.data(), elements.size_bytes()), 0);
}

TEST_P(Views, ReadIntoCopies) {
  const auto checkpoint = load();
  const Tensor tensor = checkpoint.model().at("floats");
  std::vector<float> target(8);
  tensor.read_into(target.data(), 32);
  EXPECT_EQ(std::memcmp(target.data(), tensor.bytes().data(), 32), 0);
  EXPECT_EQ(refusal([&] { tensor.read_into(target.data(), 28); }), "CKPT_STATE_MISMATCH");
  checkpoint.model().at("empty").read_into(nullptr, 0);
}

INSTANTIATE_TEST_SUITE_P(MappedAndRead, Views, testing::Bool(),
                         [](const auto &suite) { return suite.param ? "Mapped" : "Read"; });

TEST(Tensor, ATypeThatDoesNotFitTheBytesIsRefused) {
  const auto checkpoint = load_checkpoint(golden_path());
  EXPECT_EQ(refusal([&] { checkpoint.model().at("dtype/uint8").as<Wide>(); }),
            "CKPT_STATE_MISMATCH");
}

TEST(Tensor, WhatIsNotThereIsNamed) {
  const auto model = load_checkpoint(golden_path()).model();
  EXPECT_FALSE(model.contains("nothing"));
  EXPECT_FALSE(model.find("nothing").has_value());
  EXPECT_THROW(model.tensor(model.size()), std::out_of_range);
  try {
    model.at("a\nb");
    FAIL();
  } catch (const lightwatch::CheckpointError &error) {
    EXPECT_EQ(error.code(), lightwatch::ErrorCode::no_such_tensor);
    EXPECT_EQ(error.tensor(), "a\nb");
    EXPECT_NE(std::string(error.what()).find("no tensor \"a\\u{a}b\"; it has"), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("\"embedding.weight\", \"dtype/float64\""),
              std::string::npos)
        << error.what();
  }
}

TEST(Tensor, AStateOfATemporaryCanBeGoneThrough) {
  std::size_t count = 0;
  for (const auto &[name, tensor] : load_checkpoint(golden_path()).model()) {
    count += tensor.bytes().size() == tensor.byte_length() && !name.empty() ? 1u : 0u;
  }
  EXPECT_EQ(count, load_checkpoint(golden_path()).model().size());
}

TEST(Tensor, TheFileMayBeRenamedOverAndRemoved) {
  const Scratch scratch;
  const Bytes bytes = read_bytes(golden_path());
  const std::string path = scratch.file("a.ckpt", bytes);
  for (const bool map : {true, false}) {
    lightwatch::LoadOptions options;
    options.map = map;
    const auto checkpoint = load_checkpoint(path, options);
    std::filesystem::rename(scratch.file("b.ckpt", {1, 2, 3}), path);
    checkpoint.verify();
    EXPECT_EQ(checkpoint.model().at("floats").as<float>().size(), 8u);
    std::filesystem::remove(path);
    checkpoint.verify();
    write_bytes(path, bytes);
  }
}

TEST(Span, ChecksWhereItSaysSo) {
  const int numbers[] = {1, 2, 3};
  const Span<const int> span(numbers, 3);
  EXPECT_EQ(span.at(2), 3);
  EXPECT_THROW(span.at(3), std::out_of_range);
  EXPECT_EQ(span.subspan(1, 2).front(), 2);
  EXPECT_EQ(span.subspan(1, 2).back(), 3);
  EXPECT_TRUE(span.subspan(3, 0).empty());
  EXPECT_THROW(span.subspan(4, 0), std::out_of_range);
  EXPECT_THROW(span.subspan(1, 3), std::out_of_range);
#if __cplusplus >= 202002L
  const std::span<const int> standard = span;
  EXPECT_EQ(standard.data(), numbers);
#endif
}

}  // namespace
