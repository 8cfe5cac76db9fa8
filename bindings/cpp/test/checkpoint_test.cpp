// What a user gets of a checkpoint, and what becomes of files that are none. (The corpus of valid and
// invalid files is read by the reporter; see `npm run conformance`.)

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "lightwatch/checkpoint.hpp"

namespace {

namespace fs = std::filesystem;
using lightwatch::CheckpointError;
using lightwatch::load_checkpoint;

const fs::path kGolden = fs::path(REPOSITORY) / "test/golden/v1.ckpt";
const fs::path kCorpus = fs::path(REPOSITORY) / "test/conformance";

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A folder that is gone after the test.
class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "lightwatch-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& bytes) const {
    const fs::path path = folder_ / "file.ckpt";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  fs::path folder_;
};

/// The code with which a file is refused, or "read" where it is read in full.
std::string outcome(const fs::path& path) {
  try {
    load_checkpoint(path.string()).verify();
    return "read";
  } catch (const CheckpointError& error) {
    return error.code();
  }
}

const lightwatch::Tensor& first_of(const lightwatch::State& state, unsigned dtype) {
  for (const lightwatch::Tensor& tensor : state.tensors()) {
    if (static_cast<unsigned>(tensor.dtype()) == dtype && tensor.byte_length() > 0) return tensor;
  }
  throw std::runtime_error("the golden file has no such tensor");
}

TEST_F(CheckpointTest, TheGoldenFileHasItsValues) {
  const auto checkpoint = load_checkpoint(kGolden.string());
  EXPECT_EQ(checkpoint.version(), 1u);
  EXPECT_EQ(checkpoint.epoch(), 3);
  EXPECT_EQ(checkpoint.step(), 1000000007);
  EXPECT_EQ(checkpoint.loss(), 0.30000000000000004);
  ASSERT_FALSE(checkpoint.metrics().empty());
  EXPECT_EQ(checkpoint.metrics()[0].first, "val/loss");
  EXPECT_NE(checkpoint.config()->find("größe"), std::string::npos);
  ASSERT_NE(checkpoint.optimizer(), nullptr);
  EXPECT_EQ(checkpoint.byte_length(), fs::file_size(kGolden));
}

TEST_F(CheckpointTest, ViewsAreInPlaceTypedAndOutliveTheCheckpoint) {
  auto open = std::make_unique<lightwatch::Checkpoint>(load_checkpoint(kGolden.string()));
  const lightwatch::Tensor tensor = first_of(open->model(), 2);
  const auto floats = tensor.as<float>();
  EXPECT_EQ(floats.size() * sizeof(float), tensor.byte_length());
  EXPECT_EQ(static_cast<const void*>(floats.data()), tensor.bytes().data());
  EXPECT_THROW(tensor.as<double>(), CheckpointError);
  EXPECT_THROW(tensor.as<std::uint32_t>(), CheckpointError);
  const std::vector<float> before(floats.begin(), floats.end());
  open.reset();
  EXPECT_TRUE(std::equal(before.begin(), before.end(), floats.begin(), [](float a, float b) {
    return std::memcmp(&a, &b, sizeof a) == 0;
  }));
}

TEST_F(CheckpointTest, TensorsAreFoundByTheirNames) {
  const auto checkpoint = load_checkpoint(kGolden.string());
  for (const auto& tensor : checkpoint.model().tensors()) {
    EXPECT_TRUE(checkpoint.model().contains(tensor.name()));
    EXPECT_EQ(&checkpoint.model().at(tensor.name()), &tensor);
  }
  try {
    checkpoint.model().at("no such\x1b[31m tensor");
    FAIL();
  } catch (const CheckpointError& error) {
    EXPECT_EQ(error.code(), "CKPT_NO_SUCH_TENSOR");
    EXPECT_EQ(std::string(error.what()).find('\x1b'), std::string::npos);
  }
}

TEST_F(CheckpointTest, EveryValidFileOfTheCorpusIsReadAndEveryInvalidOneRefused) {
  int files = 0;
  for (const auto& entry : fs::directory_iterator(kCorpus / "valid")) {
    if (entry.path().extension() != ".ckpt") continue;
    EXPECT_EQ(outcome(entry.path()), "read") << entry.path();
    files++;
  }
  for (const auto& entry : fs::directory_iterator(kCorpus / "invalid")) {
    EXPECT_NE(outcome(entry.path()), "read") << entry.path();
    files++;
  }
  EXPECT_GT(files, 200);
}

TEST_F(CheckpointTest, TruncationsAreRefused) {
  const std::string bytes = read(kGolden);
  for (std::size_t length = 0; length < bytes.size(); length += length < 4096 ? 1 : 13) {
    EXPECT_NE(outcome(write(bytes.substr(0, length))), "read") << length;
  }
}

TEST_F(CheckpointTest, FlippedBitsAreRefused) {
  const std::string bytes = read(kGolden);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); bit += 11) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(outcome(write(flipped)), "read") << bit;
  }
}

TEST_F(CheckpointTest, ADamagedTensorIsToldWhenItsBytesAreAskedFor) {
  std::string bytes = read(kGolden);
  const auto golden = load_checkpoint(kGolden.string());
  const lightwatch::Tensor& tensor = first_of(golden.model(), 2);
  bytes[tensor.offset()] = static_cast<char>(bytes[tensor.offset()] ^ 1);
  const std::string path = write(bytes).string();
  const auto damaged = load_checkpoint(path);
  try {
    damaged.model().at(tensor.name()).bytes();
    FAIL();
  } catch (const CheckpointError& error) {
    EXPECT_EQ(error.code(), "CKPT_TENSOR_CHECKSUM");
  }
  EXPECT_NO_THROW(load_checkpoint(path, false).model().at(tensor.name()).bytes());
}

TEST_F(CheckpointTest, WhatIsNoFileIsRefusedAtOnce) {
  EXPECT_EQ(outcome(folder_), "CKPT_READ");
  EXPECT_EQ(outcome(folder_ / "nothing"), "CKPT_READ");
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(outcome(folder_ / "fifo"), "CKPT_READ");
  EXPECT_EQ(outcome("/dev/zero"), "CKPT_READ");
}

}  // namespace
