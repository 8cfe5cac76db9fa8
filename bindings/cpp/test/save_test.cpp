// What a save writes, where it writes it, and what it refuses.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <lightwatch/checkpoint.hpp>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "files.hpp"
#include "json.hpp"
#include "refusal.hpp"
#include "rewrite.hpp"
#include "trainer/module.hpp"

namespace {

using lightwatch::Attribute;
using lightwatch::Attributes;
using lightwatch::DType;
using lightwatch::SaveOptions;
using lightwatch::StateDict;
using lightwatch::TensorView;
namespace fs = std::filesystem;

using Floats = std::map<std::string, std::vector<float>>;

/// The message of a std::invalid_argument, or nothing if none is thrown.
std::string misuse(const std::function<void()> &act) {
  try {
    act();
    return "";
  } catch (const std::invalid_argument &error) {
    return error.what();
  }
}

std::vector<std::string> names_in(const fs::path &folder) {
  std::vector<std::string> names;
  for (const auto &entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

class Save : public testing::Test {
 protected:
  void save(Floats state, const SaveOptions &options = {}) const {
    lightwatch::save_checkpoint(path_, state, nullptr, options);
  }

  Scratch scratch_;
  const std::string path_ = scratch_.path("run.ckpt");
};

TEST_F(Save, WritesTheSameBytesAsTheLibraryForTypeScript) {
  // The corpus' files of the other writer leave out defaults or share parts.
  const char *names[] = {"golden-v1",     "example",       "nothing",        "training",
                         "every-dtype",   "scalars",       "empty-tensors",  "tied-weights",
                         "lengths",       "floats",        "packed",         "ranks",
                         "unicode-names", "longest-name",  "progress",       "order-of-saves",
                         "attributes",    "same-names",    "integers-of-4-bits"};
  for (const char *name : names) {
    const fs::path description = corpus(std::string("valid/") + name + ".ckpt");
    const auto report = writer::Description(description).save(path_);
    EXPECT_EQ(read_bytes(path_), read_bytes(description)) << name;
    EXPECT_EQ(report.byte_length, fs::file_size(description)) << name;
  }
}

TEST_F(Save, TakesTensorsOfManyKinds) {
  std::vector<double> doubles = {1.5, -0.0};
  auto integers = std::make_shared<std::vector<std::int64_t>>(3, -1);
  std::vector<std::complex<float>> numbers = {{1, 2}};
  trainer::Tensor<std::uint16_t> matrix({2, 3}, 7);
  const std::uint8_t packed[] = {0x12, 0x34};
  float scalar = 0.25f;
  StateDict dict;
  dict.add("doubles", doubles).add("integers", integers).add("numbers", std::ref(numbers));
  dict.add("matrix", matrix);
  dict.add("packed", TensorView(DType::int4, {4}, static_cast<const void *>(packed)));
  dict.add("scalar", TensorView(DType::float32, {}, &scalar));
  lightwatch::save_checkpoint(path_, dict, nullptr, SaveOptions{});

  const auto model = lightwatch::load_checkpoint(path_).model_state;
  EXPECT_EQ(model["doubles"].as<double>()[0], 1.5);
  EXPECT_EQ(model["integers"].as<std::int64_t>()[2], -1);
  EXPECT_EQ(model["numbers"].as<std::complex<float>>()[0], (std::complex<float>{1, 2}));
  EXPECT_EQ(model["matrix"].shape()[1], 3u);
  EXPECT_EQ(model["packed"].dtype(), DType::int4);
  EXPECT_EQ(model["scalar"].as<float>()[0], 0.25f);
  EXPECT_TRUE(model["scalar"].shape().empty());
  std::string order;
  for (const auto &entry : model) order += std::string(entry.first) + " ";
  EXPECT_EQ(order, "doubles integers numbers matrix packed scalar ");
}

TEST_F(Save, SharesASegmentBetweenTensorsOverTheSameMemory) {
  std::vector<float> embedding(1000, 1), other(1000, 1);
  StateDict dict;
  dict.add("embedding", embedding).add("head", embedding).add("other", other);
  lightwatch::save_checkpoint(path_, dict, dict, SaveOptions{});
  const auto checkpoint = lightwatch::load_checkpoint(path_);
  const auto head = checkpoint.model_state["head"];
  EXPECT_TRUE(head.shares_memory_with(checkpoint.model_state["embedding"]));
  EXPECT_TRUE(head.shares_memory_with(checkpoint.optimizer_state["head"]));
  EXPECT_FALSE(head.shares_memory_with(checkpoint.model_state["other"]));
}

TEST_F(Save, KeepsAttributesAsTheyAre) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  StateDict dict;
  dict.kind = "AdamW";
  dict.attributes = {{"lr", 0.1},
                     {"best", nan},
                     {"steps", 3},
                     {"large", std::int64_t{1} << 60},
                     {"largest", std::numeric_limits<std::uint64_t>::max()},
                     {"amsgrad", false},
                     {"name", "größe"},
                     {"nothing", Attribute()},
                     {"betas", std::vector<Attribute>{0.9, 0.999}},
                     {"group", Attributes{{"a", 1}}}};
  lightwatch::save_checkpoint(path_, dict, nullptr, SaveOptions{});
  const auto checkpoint = lightwatch::load_checkpoint(path_);
  EXPECT_EQ(checkpoint.model_state.kind(), "AdamW");
  const Attributes &loaded = checkpoint.model_state.attributes();
  EXPECT_TRUE(lightwatch::detail::same_attributes(loaded, dict.attributes));
  EXPECT_EQ(loaded.at("steps").kind(), lightwatch::AttributeKind::integer);
  EXPECT_EQ(loaded.at("large").kind(), lightwatch::AttributeKind::int64);
  EXPECT_EQ(loaded.at("largest").kind(), lightwatch::AttributeKind::uint64);
  EXPECT_EQ(loaded.at("lr").kind(), lightwatch::AttributeKind::float64);
}

TEST_F(Save, RefusesWhatAFileCannotHold) {
  std::vector<float> tensor(3);
  const auto refused = [&](const std::function<void(StateDict &, SaveOptions &)> &change) {
    StateDict dict;
    SaveOptions options;
    dict.add("w", tensor);
    change(dict, options);
    return misuse([&] { lightwatch::save_checkpoint(path_, dict, nullptr, options); });
  };
  EXPECT_NE(refused([&](auto &dict, auto &) { dict.add("w", tensor); }), "");
  EXPECT_NE(refused([&](auto &dict, auto &) { dict.add("", tensor); }), "");
  EXPECT_NE(refused([&](auto &dict, auto &) { dict.add(std::string("a\0b", 3), tensor); }), "");
  EXPECT_NE(refused([&](auto &dict, auto &) { dict.add("\xff", tensor); }), "");
  EXPECT_NE(refused([&](auto &dict, auto &) {
              dict.add("odd", TensorView(DType::int4, {3}, tensor.data()));
            }),
            "");
  EXPECT_NE(refused([&](auto &dict, auto &) {
              dict.add("none", TensorView(DType::int8, {3}, static_cast<void *>(nullptr)));
            }),
            "");
  EXPECT_NE(refused([&](auto &dict, auto &) {
              dict.add("deep", TensorView(DType::int8, std::vector<std::uint64_t>(65, 1),
                                          tensor.data()));
            }),
            "");
  EXPECT_NE(refused([](auto &dict, auto &) { dict.kind = "\xc3"; }), "");
  EXPECT_NE(refused([](auto &dict, auto &) {
              dict.attributes = {{"n", Attribute::of_integer(std::int64_t{1} << 53)}};
            }),
            "");
  EXPECT_NE(refused([](auto &dict, auto &) {
              Attribute deep = 1;
              for (int i = 0; i < 70; i++) deep = std::vector<Attribute>{deep};
              dict.attributes = {{"deep", deep}};
            }),
            "");
  EXPECT_NE(refused([](auto &, auto &options) { options.epoch = std::int64_t{1} << 53; }), "");
  EXPECT_NE(refused([](auto &, auto &options) { options.config = "{lr: 1}"; }), "");
  EXPECT_NE(refused([](auto &, auto &options) { options.metrics = {{"", 1}}; }), "");
  EXPECT_NE(refused([](auto &, auto &options) { options.extras.emplace_back("model", StateDict()); }),
            "");
  EXPECT_NE(misuse([] { Attributes({{"a", 1}, {"a", 2}}); }), "");
  EXPECT_NE(misuse([&] { lightwatch::save_checkpoint(path_ + "/", Floats(), nullptr, {}); }), "");
  EXPECT_TRUE(names_in(scratch_.path("")).empty());
  EXPECT_EQ(refused([](auto &, auto &) {}), "");
}

TEST(JsonText, IsWhatTheStandardSays) {
  using lightwatch::detail::is_json;
  for (const char *text :
       {"0", "-0", "1.5e+3", "\"\\u00e4\\n\"", " [ ] ", "{}", "[1,[2,{\"a\":null}],true]",
        "{\"a\":1,\"a\":2}", "\t false\r\n", "1E400"}) {
    EXPECT_TRUE(is_json(text)) << text;
  }
  for (const char *text :
       {"", " ", "01", "1.", ".5", "+1", "NaN", "'a'", "\"\\x\"", "\"\\u12g4\"", "\"a\nb\"", "\"a",
        "[1,]", "[1", "[1}", "{\"a\"}", "{\"a\":1,}", "{1:2}", "{,}", "1 2", "[] []", "tru", "-", "1e"}) {
    EXPECT_FALSE(is_json(text)) << text;
  }
  EXPECT_TRUE(is_json(std::string(1'000'000, '[') + std::string(1'000'000, ']')));
}

TEST_F(Save, KeepsModeAndLinksOfTheFileThatItReplaces) {
  save({{"w", {1}}});
  fs::permissions(path_, fs::perms(0640));
  save({{"w", {2}}});
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms(0640));

  const std::string link = scratch_.path("latest");
  fs::create_symlink("run.ckpt", link);
  std::map<std::string, std::vector<float>> state{{"w", {3}}};
  lightwatch::save_checkpoint(link, state, nullptr, {});
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(lightwatch::load_checkpoint(path_).model_state["w"].as<float>()[0], 3);
  EXPECT_EQ(names_in(scratch_.path("")).size(), 2u);
}

TEST_F(Save, MakesFoldersAndTakesRelativePaths) {
  const fs::path before = fs::current_path();
  fs::current_path(scratch_.path(""));
  Floats state{{"w", {1}}};
  const auto report = lightwatch::save_checkpoint("a/b/../c/run.ckpt", state, nullptr, {});
  fs::current_path(before);
  EXPECT_EQ(report.durability, lightwatch::Durability::durable);
  EXPECT_EQ(names_in(scratch_.path("a/c")), std::vector<std::string>{"run.ckpt"});
}

TEST_F(Save, RefusesAPathThatIsNoFile) {
  fs::create_directory(path_);
  EXPECT_EQ(refusal([&] { save({}); }), "CKPT_NOT_COMMITTED");
  EXPECT_EQ(names_in(scratch_.path("")).size(), 1u);
  fs::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(refusal([&] { save({}); }), "CKPT_NOT_COMMITTED");
  fs::remove(path_);
  fs::create_symlink(path_, path_);
  EXPECT_EQ(refusal([&] { save({}); }), "CKPT_NOT_COMMITTED");
}

TEST_F(Save, WithoutSyncsReplacesTheFileAllTheSame) {
  save({{"w", {1}}});
  SaveOptions options;
  options.durable = false;
  Floats state{{"w", {2}}};
  const auto report = lightwatch::save_checkpoint(path_, state, nullptr, options);
  EXPECT_EQ(report.durability, lightwatch::Durability::none);
  EXPECT_EQ(lightwatch::load_checkpoint(path_).model_state["w"].as<float>()[0], 2);
  EXPECT_EQ(names_in(scratch_.path("")).size(), 1u);
}

TEST_F(Save, RemovesWhatDeadSaversHaveLeftAndNothingElse) {
  using lightwatch::detail::temporary_name;
  const std::string locked = scratch_.path(temporary_name("run.ckpt"));
  const std::string living = scratch_.path(temporary_name("run.ckpt"));
  const std::string unlocked = scratch_.path(temporary_name("run.ckpt", false));
  const std::string other = scratch_.path(".run.ckpt.tmp");
  for (const std::string &path : {locked, living, unlocked, other}) write_bytes(path, {1});
  // From this process, locked by another descriptor: a save that is running in another thread.
  const lightwatch::detail::Descriptor holder(::open(living.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(lightwatch::detail::take_lock(holder), lightwatch::detail::Lock::taken);
  save({});
  EXPECT_FALSE(fs::exists(locked));
  EXPECT_TRUE(fs::exists(living));
  EXPECT_TRUE(fs::exists(unlocked));
  EXPECT_TRUE(fs::exists(other));
}

TEST(TemporaryName, IsReadAsItIsWritten) {
  using lightwatch::detail::parse_temporary_name;
  const auto parsed = parse_temporary_name(".a.ckpt.5f0c2a91.4711.9d3b7e66c0a1f824.locked.tmp");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->tag, "5f0c2a91");
  EXPECT_EQ(parsed->process, 4711u);
  EXPECT_TRUE(parsed->locked);
  EXPECT_FALSE(parse_temporary_name(".a.5f0c2a91.1.9d3b7e66c0a1f824.tmp")->locked);
  for (const char *name :
       {".5f0c2a91.1.9d3b7e66c0a1f824.tmp", "a.5f0c2a91.1.9d3b7e66c0a1f824.tmp",
        ".a.5f0c2a9.1.9d3b7e66c0a1f824.tmp", ".a.5f0c2a91.01.9d3b7e66c0a1f824.tmp",
        ".a.5f0c2a91.12345678901.9d3b7e66c0a1f824.tmp", ".a.5f0c2a91.1.9d3b7e66c0a1f82.tmp",
        ".a.5f0c2a91..9d3b7e66c0a1f824.tmp", ".a.5F0C2A91.1.9d3b7e66c0a1f824.tmp", ".tmp", ""}) {
    EXPECT_FALSE(parse_temporary_name(name)) << name;
  }
  const std::string longest(255, 'x');
  EXPECT_EQ(lightwatch::detail::temporary_name(longest).size(), 255u);
  std::string characters;
  while (characters.size() < 252) characters += "\xe2\x82\xac";
  const std::string cut = lightwatch::detail::temporary_name(characters);
  EXPECT_LE(cut.size(), 255u);
  EXPECT_TRUE(lightwatch::detail::is_utf8(cut));
}

TEST(Sha256, IsThatOfTheStandard) {
  using lightwatch::detail::sha256;
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_F(Save, NoticesATensorThatChangesMeanwhile) {
  save({{"old", {1}}});
  const Bytes before = read_bytes(path_);
  Floats state{{"w", std::vector<float>(16 << 20)}};
  std::atomic<bool> done{false};
  std::thread training([&] {
    // Changes elements of every page, again and again.
    auto *elements = reinterpret_cast<std::atomic<float> *>(state["w"].data());
    for (float value = 1; !done; value++) {
      for (std::size_t i = 0; i < state["w"].size(); i += 1024) elements[i] = value;
    }
  });
  const std::string refused =
      refusal([&] { lightwatch::save_checkpoint(path_, state, nullptr, {}); });
  done = true;
  training.join();
  EXPECT_EQ(refused, "CKPT_TENSOR_CHANGED");
  EXPECT_EQ(read_bytes(path_), before);
  EXPECT_EQ(names_in(scratch_.path("")).size(), 1u);
}

TEST_F(Save, OfSeveralThreadsToOnePathLeavesAWholeFile) {
  std::vector<std::thread> savers;
  for (int saver = 0; saver < 4; saver++) {
    savers.emplace_back([&, saver] {
      Floats state{{"w", std::vector<float>(100'000, static_cast<float>(saver))}};
      for (int i = 0; i < 5; i++) lightwatch::save_checkpoint(path_, state, nullptr, 0, saver, 0);
    });
  }
  for (std::thread &saver : savers) saver.join();
  const auto checkpoint = lightwatch::load_checkpoint(path_);
  checkpoint.verify();
  for (const float element : checkpoint.model_state["w"].as<float>()) {
    ASSERT_EQ(element, static_cast<float>(checkpoint.step()));
  }
  EXPECT_EQ(names_in(scratch_.path("")).size(), 1u);
}

}  // namespace
