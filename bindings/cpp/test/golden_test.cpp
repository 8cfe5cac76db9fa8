// The golden file of format version 1 has every value of v1.json.

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <lightwatch/checkpoint.hpp>
#include <optional>
#include <string>

#include "files.hpp"
#include "json.hpp"

namespace {

using lightwatch::Attribute;
using lightwatch::AttributeKind;

const Json &expected() {
  static const Json json = JsonReader::read(read_text(repository("test/golden/v1.json")));
  return json;
}

/// A double in JavaScript's notation.
double number(const std::string &text) {
  if (text == "NaN") return std::nan("");
  return std::strtod(text.c_str(), nullptr);
}

bool same(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || std::memcmp(&a, &b, sizeof a) == 0;
}

void check(const Attribute &value, const Json &json, const std::string &where);

void check(const lightwatch::Attributes &map, const Json &pairs, const std::string &where) {
  ASSERT_EQ(map.size(), pairs.items.size()) << where;
  std::size_t i = 0;
  for (const auto &[key, value] : map) {
    EXPECT_EQ(key, pairs[i][0].text) << where;
    check(value, pairs[i][1], where + "." + key);
    i++;
  }
}

void check(const Attribute &value, const Json &json, const std::string &where) {
  if (json.type != Json::Type::object) {
    switch (json.type) {
      case Json::Type::null: EXPECT_TRUE(value.is_null()) << where; break;
      case Json::Type::boolean: EXPECT_EQ(value.boolean(), json.boolean) << where; break;
      default:
        ASSERT_NE(value.text(), nullptr) << where;
        EXPECT_EQ(*value.text(), json.text) << where;
    }
    return;
  }
  const auto &[kind, of] = *json.members.begin();
  if (kind == "integer") {
    EXPECT_EQ(value.kind(), AttributeKind::integer) << where;
    EXPECT_EQ(value.int64(), std::stoll(of.text)) << where;
    EXPECT_EQ(value.number(), std::stod(of.text)) << where;
  } else if (kind == "int64") {
    EXPECT_EQ(value.kind(), AttributeKind::int64) << where;
    EXPECT_EQ(value.int64(), std::stoll(of.text)) << where;
    EXPECT_EQ(value.number(), std::nullopt) << where;
  } else if (kind == "uint64") {
    EXPECT_EQ(value.uint64(), std::stoull(of.text)) << where;
  } else if (kind == "float64") {
    ASSERT_TRUE(value.float64()) << where;
    EXPECT_TRUE(same(*value.float64(), number(of.text))) << where << " " << *value.float64();
  } else if (kind == "list") {
    ASSERT_NE(value.list(), nullptr) << where;
    ASSERT_EQ(value.list()->size(), of.items.size()) << where;
    for (std::size_t i = 0; i < of.items.size(); i++) check((*value.list())[i], of[i], where + "[]");
  } else {
    ASSERT_EQ(kind, "map") << where;
    ASSERT_NE(value.map(), nullptr) << where;
    check(*value.map(), of, where);
  }
}

void check(const lightwatch::State &state, const Json &json) {
  const std::string name = json["name"].text;
  EXPECT_EQ(state.name(), name);
  if (json["kind"].is_null()) {
    EXPECT_EQ(state.kind(), std::nullopt) << name;
  } else {
    EXPECT_EQ(state.kind(), json["kind"].text) << name;
  }
  check(state.attributes(), json["attributes"]["map"], name);

  const auto &tensors = json["tensors"].items;
  ASSERT_EQ(state.size(), tensors.size()) << name;
  std::size_t i = 0;
  for (const auto &[key, tensor] : state) {
    const Json &wanted = tensors[i++];
    EXPECT_EQ(key, wanted["name"].text);
    EXPECT_EQ(tensor.name(), key);
    EXPECT_EQ(lightwatch::dtype_name(tensor.dtype()), wanted["dtype"].text) << key;
    ASSERT_EQ(tensor.shape().size(), wanted["shape"].items.size()) << key;
    for (std::size_t k = 0; k < tensor.shape().size(); k++) {
      EXPECT_EQ(std::to_string(tensor.shape()[k]), wanted["shape"][k].text) << key;
    }
    std::string hex;
    for (const std::byte byte : tensor.bytes()) {
      hex += lightwatch::detail::hexadecimal(std::to_integer<unsigned>(byte), 2);
    }
    EXPECT_EQ(hex, wanted["data"].text) << key;
    EXPECT_EQ(tensor.byte_length() * 2, hex.size()) << key;
    // Also by its name.
    EXPECT_TRUE(state.contains(key));
    EXPECT_TRUE(state.at(key).shares_memory_with(tensor)) << key;
    EXPECT_EQ(state.find(key)->offset(), tensor.offset()) << key;
  }
}

class Golden : public testing::TestWithParam<bool> {
 protected:
  static lightwatch::Checkpoint load() {
    lightwatch::LoadOptions options;
    options.map = GetParam();
    return lightwatch::load_checkpoint(golden_path(), options);
  }
};

TEST_P(Golden, ProgressIsWhatWasSaved) {
  const auto checkpoint = load();
  EXPECT_EQ(checkpoint.version(), 1u);
  EXPECT_EQ(checkpoint.mapped(), GetParam());
  EXPECT_EQ(checkpoint.byte_length(), std::filesystem::file_size(golden_path()));
  EXPECT_EQ(std::to_string(checkpoint.epoch()), expected()["epoch"].text);
  EXPECT_EQ(std::to_string(checkpoint.step()), expected()["step"].text);
  ASSERT_TRUE(checkpoint.loss());
  EXPECT_EQ(*checkpoint.loss(), number(expected()["loss"].text));
  EXPECT_EQ(checkpoint.config(), expected()["config"].text);
  const Json &metrics = expected()["metrics"];
  ASSERT_EQ(checkpoint.metrics().size(), metrics.items.size());
  std::size_t i = 0;
  for (const auto &[name, value] : checkpoint.metrics()) {
    EXPECT_EQ(name, metrics[i][0].text);
    EXPECT_TRUE(same(value, number(metrics[i][1].text))) << name << " " << value;
    i++;
  }
}

TEST_P(Golden, StatesAreWhatWasSaved) {
  const auto checkpoint = load();
  check(checkpoint.model(), expected()["model"]);
  ASSERT_TRUE(checkpoint.optimizer());
  check(*checkpoint.optimizer(), expected()["optimizer"]);
  const auto extras = checkpoint.extras();
  const auto &wanted = expected()["extras"].items;
  ASSERT_EQ(extras.size(), wanted.size());
  for (std::size_t i = 0; i < extras.size(); i++) {
    check(extras[i], wanted[i]);
    EXPECT_EQ(checkpoint.extra(extras[i].name())->size(), extras[i].size());
  }
  EXPECT_FALSE(checkpoint.extra("model").has_value());
  EXPECT_EQ(checkpoint.states().size(), 2 + extras.size());
  checkpoint.verify();
}

INSTANTIATE_TEST_SUITE_P(MappedAndRead, Golden, testing::Bool(),
                         [](const auto &suite) { return suite.param ? "Mapped" : "Read"; });

}  // namespace
