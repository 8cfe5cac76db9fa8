// Damage after the metadata is found when the tensor is accessed, and by verify().

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <lightwatch/checkpoint.hpp>
#include <string>
#include <vector>

#include "files.hpp"
#include "refusal.hpp"

namespace {

using lightwatch::load_checkpoint;
using lightwatch::LoadOptions;
using lightwatch::Tensor;

class Damage : public testing::TestWithParam<bool> {
 protected:
  Damage() { options_.map = GetParam(); }

  std::string changed(std::uint64_t position, std::uint8_t difference = 1) const {
    Bytes bytes = read_bytes(golden_path());
    bytes.at(static_cast<std::size_t>(position)) ^= difference;
    return scratch_.file("changed.ckpt", bytes);
  }

  static Tensor sound() { return load_checkpoint(golden_path()).model().at("floats"); }

  Scratch scratch_;
  LoadOptions options_;
};

TEST_P(Damage, OfATensorIsFoundWhenItIsAskedFor) {
  const auto checkpoint = load_checkpoint(changed(sound().offset() + 5), options_);
  const Tensor floats = checkpoint.model().at("floats");
  // Every access throws, not only the first.
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(refusal([&] { floats.bytes(); }), "CKPT_TENSOR_CHECKSUM");
    EXPECT_EQ(refusal([&] { floats.as<float>(); }), "CKPT_TENSOR_CHECKSUM");
  }
  std::vector<std::uint8_t> target(32);
  EXPECT_EQ(refusal([&] { floats.read_into(target.data(), 32); }), "CKPT_TENSOR_CHECKSUM");
  EXPECT_EQ(refusal([&] { checkpoint.verify(); }), "CKPT_TENSOR_CHECKSUM");
  // The other tensors are still readable.
  EXPECT_EQ(checkpoint.model().at("embedding.weight").as<float>().size(), 15u);
  try {
    floats.bytes();
    FAIL();
  } catch (const lightwatch::CheckpointError &error) {
    EXPECT_EQ(error.state(), "model");
    EXPECT_EQ(error.tensor(), "floats");
    EXPECT_EQ(error.offset(), sound().offset());
    EXPECT_EQ(error.path(), scratch_.path("changed.ckpt"));
  }
}

TEST_P(Damage, BeforeATensorIsFoundWhenItIsAskedFor) {
  // The lowest byte of the length, so that FlatBuffers still accepts the file.
  const auto checkpoint = load_checkpoint(changed(sound().offset() - 4), options_);
  const Tensor floats = checkpoint.model().at("floats");
  EXPECT_EQ(refusal([&] { floats.bytes(); }), "CKPT_FORMAT gap");
  std::vector<std::uint8_t> target(32);
  EXPECT_EQ(refusal([&] { floats.read_into(target.data(), 32); }), "CKPT_FORMAT gap");
  EXPECT_EQ(refusal([&] { checkpoint.verify(); }), "CKPT_FORMAT gap");
}

TEST_P(Damage, OfALengthThatLeadsOutOfTheFileIsFoundAtOnce) {
  const std::string path = changed(sound().offset() - 1, 0x40);
  EXPECT_EQ(refusal([&] { load_checkpoint(path, options_); }), "CKPT_FORMAT gap");
}

TEST_P(Damage, OfATensorIsNotLookedForWhereTheCallerSaysSo) {
  options_.verify = false;
  const auto checkpoint = load_checkpoint(changed(sound().offset() + 5), options_);
  const Tensor floats = checkpoint.model().at("floats");
  EXPECT_EQ(floats.bytes().size(), 32u);
  EXPECT_NE(floats.bytes()[5], sound().bytes()[5]);
  std::vector<std::uint8_t> target(32);
  floats.read_into(target.data(), 32);
  EXPECT_EQ(refusal([&] { checkpoint.verify(); }), "CKPT_TENSOR_CHECKSUM");
}

TEST_P(Damage, OfTheMetadataIsFoundAtOnce) {
  const auto length = load_checkpoint(golden_path()).metadata_length();
  EXPECT_EQ(refusal([&] { load_checkpoint(changed(length - 1), options_); }),
            "CKPT_METADATA_CHECKSUM");
  options_.verify = false;
  EXPECT_EQ(refusal([&] { load_checkpoint(changed(length - 1), options_); }),
            "CKPT_METADATA_CHECKSUM");
}

TEST_P(Damage, MetadataThatChangesAfterItWasCheckedIsNotLookedAtAgain) {
  const std::string path = scratch_.file("changing.ckpt", read_bytes(golden_path()));
  const auto checkpoint = load_checkpoint(path, options_);
  const auto length = static_cast<std::size_t>(checkpoint.metadata_length());
  Bytes bytes = read_bytes(path);
  std::fill_n(bytes.begin(), length, std::uint8_t{0xff});
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.write(reinterpret_cast<const char *>(bytes.data()), static_cast<std::streamsize>(length));
  file.close();
  EXPECT_EQ(checkpoint.model().tensor(0).name(), "embedding.weight");
  EXPECT_EQ(checkpoint.model().tensor(0).shape()[1], 5u);
  EXPECT_EQ(checkpoint.model().at("floats").as<float>().size(), 8u);
}

INSTANTIATE_TEST_SUITE_P(MappedAndRead, Damage, testing::Bool(),
                         [](const auto &suite) { return suite.param ? "Mapped" : "Read"; });

TEST(DamageWithoutAMap, AFileThatIsCutShortMeanwhileIsNoticed) {
  const Scratch scratch;
  const std::string path = scratch.file("a.ckpt", read_bytes(golden_path()));
  LoadOptions options;
  options.map = false;
  const auto checkpoint = load_checkpoint(path, options);
  std::filesystem::resize_file(path, checkpoint.metadata_length());
  EXPECT_EQ(refusal([&] { checkpoint.model().at("floats").bytes(); }), "CKPT_FILE_CHANGED");
  EXPECT_EQ(refusal([&] { checkpoint.verify(); }), "CKPT_FILE_CHANGED");
}

}  // namespace
