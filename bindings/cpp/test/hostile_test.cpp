// Incomplete checkpoints, and paths that are not regular files: each is refused, and no open
// blocks.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <lightwatch/checkpoint.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "files.hpp"
#include "refusal.hpp"

namespace {

/// The shortest file with tensors, attributes and metrics.
Bytes small_file() { return read_bytes(corpus("valid/example.ckpt")); }

class Hostile : public testing::TestWithParam<bool> {};

TEST_P(Hostile, AFileThatIsCutAnywhereIsRefused) {
  const Scratch scratch;
  for (const Bytes &whole : {small_file(), read_bytes(golden_path())}) {
    const std::string path = scratch.file("cut.ckpt", whole);
    ASSERT_EQ(refusal_of(path, GetParam()), "");
    for (std::size_t length = whole.size(); length-- > 0;) {
      std::filesystem::resize_file(path, length);
      const std::string refused = refusal_of(path, GetParam());
      const std::string expected = length < 8 ? "CKPT_NOT_A_CHECKPOINT" : "CKPT_FILE_LENGTH";
      ASSERT_EQ(refused.substr(0, refused.find(' ')), expected) << length;
    }
  }
}

TEST_P(Hostile, AFileWithSomethingBehindItIsRefused) {
  Bytes bytes = small_file();
  bytes.push_back(0);
  const Scratch scratch;
  EXPECT_EQ(refusal_of(scratch.file("longer.ckpt", bytes), GetParam()), "CKPT_FILE_LENGTH");
}

TEST_P(Hostile, AnyBitThatIsTurnedIsFound) {
  const Scratch scratch;
  const Bytes whole = small_file();
  const std::string path = scratch.file("bit.ckpt", whole);
  ASSERT_EQ(refusal_of(path, GetParam()), "");
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_NE(file, -1);
  for (std::size_t i = 0; i < whole.size(); i++) {
    for (unsigned bit = 0; bit < 8; bit++) {
      const auto turned = static_cast<std::uint8_t>(whole[i] ^ (1u << bit));
      ASSERT_EQ(::pwrite(file, &turned, 1, static_cast<off_t>(i)), 1);
      ASSERT_NE(refusal_of(path, GetParam()), "") << "byte " << i << ", bit " << bit;
    }
    ASSERT_EQ(::pwrite(file, &whole[i], 1, static_cast<off_t>(i)), 1);
  }
  ::close(file);
  EXPECT_EQ(refusal_of(path, GetParam()), "");
}

TEST_P(Hostile, WhatIsNoRegularFileIsRefusedAtOnce) {
  const Scratch scratch;
  EXPECT_EQ(refusal_of(scratch.path("."), GetParam()), "CKPT_READ");
  EXPECT_EQ(refusal_of(scratch.path("missing"), GetParam()), "CKPT_READ");
  EXPECT_EQ(refusal_of("", GetParam()), "CKPT_READ");
  EXPECT_EQ(refusal_of("/dev/zero", GetParam()), "CKPT_READ");
  EXPECT_EQ(refusal_of("/dev/null", GetParam()), "CKPT_READ");
  const std::string fifo = scratch.path("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(refusal_of(fifo, GetParam()), "CKPT_READ");
  const std::string loop = scratch.path("loop");
  std::filesystem::create_symlink(loop, loop);
  EXPECT_EQ(refusal_of(loop, GetParam()), "CKPT_READ");
  const std::string link = scratch.path("link");
  std::filesystem::create_symlink(golden_path(), link);
  EXPECT_EQ(refusal_of(link, GetParam()), "");
}

TEST_P(Hostile, AFileThatIsSaidToBeHugeTakesNoMemory) {
  // The start of a checkpoint, followed by a hole of a terabyte.
  const Scratch scratch;
  const std::string path = scratch.file("hole.ckpt", small_file());
  std::error_code error;
  std::filesystem::resize_file(path, std::uint64_t{1} << 40, error);
  if (error) GTEST_SKIP() << "no sparse files here: " << error.message();
  EXPECT_EQ(refusal_of(path, GetParam()), "CKPT_FILE_LENGTH");
}

INSTANTIATE_TEST_SUITE_P(MappedAndRead, Hostile, testing::Bool(),
                         [](const auto &suite) { return suite.param ? "Mapped" : "Read"; });

TEST(HostileDescriptors, AreNotKept) {
  // Neither a refused file nor a mapped one keeps a descriptor.
  const Scratch scratch;
  const std::string bad = scratch.file("bad.ckpt", {1, 2, 3});
  const int before = ::dup(0);
  ::close(before);
  std::vector<lightwatch::Checkpoint> open;
  for (int i = 0; i < 20; i++) {
    refusal_of(bad);
    open.push_back(lightwatch::load_checkpoint(golden_path()));
  }
  const int after = ::dup(0);
  ::close(after);
  EXPECT_EQ(after, before);
}

}  // namespace
