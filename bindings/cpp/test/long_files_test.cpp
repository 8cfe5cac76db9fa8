// Files around the greatest length of a FlatBuffer, and one above 4 GiB. The TypeScript library
// creates them, sparse. Run with LIGHTWATCH_LARGE=1.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ios>
#include <lightwatch/checkpoint.hpp>
#include <string>
#include <vector>

#include "files.hpp"
#include "refusal.hpp"

namespace {

constexpr std::uint64_t gib = std::uint64_t{1} << 30;

using Lengths = std::vector<std::uint64_t>;

class LongFiles : public testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("LIGHTWATCH_LARGE") == nullptr) GTEST_SKIP() << "LIGHTWATCH_LARGE is not set";
    if (std::system("node --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "there is no Node here";
  }

  /// A file of uint8 tensors of these lengths. All bytes are zero except the last of each tensor.
  std::string make(const std::string &name, const Lengths &lengths) const {
    const std::string path = scratch_.path(name);
    std::string command = "cd '" + repository("").string() +
                          "' && npx tsx bindings/make-long-file.ts '" + path + "'";
    for (const std::uint64_t length : lengths) command += " " + std::to_string(length);
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return path;
  }

  /// A save of the file's states would write the same metadata as the file's.
  static void check_metadata(const std::string &path) {
    lightwatch::LoadOptions options;
    options.verify = false;
    const auto checkpoint = lightwatch::load_checkpoint(path, options);
    lightwatch::detail::Progress progress;
    progress.step = checkpoint.step;
    lightwatch::detail::SaveContent content(progress);
    content.add_model(lightwatch::state_of(checkpoint.model_state));
    lightwatch::detail::UnsealedMetadata metadata(content);
    std::vector<std::uint32_t> checksums;
    for (const auto &entry : checkpoint.model_state) checksums.push_back(entry.second.crc32());
    const Bytes &sealed = metadata.seal(checksums);
    std::ifstream file(path, std::ios::binary);
    Bytes start(sealed.size());
    file.read(reinterpret_cast<char *>(start.data()), static_cast<std::streamsize>(start.size()));
    EXPECT_EQ(sealed, start);
    EXPECT_EQ(metadata.file_length(), checkpoint.byte_length());
  }

  static void check(const std::string &path, const Lengths &lengths) {
    check_metadata(path);
    for (const bool map : {true, false}) {
      lightwatch::LoadOptions options;
      options.map = map;
      const auto checkpoint = lightwatch::load_checkpoint(path, options);
      checkpoint.verify();
      const auto model = checkpoint.model();
      ASSERT_EQ(model.size(), lengths.size());
      for (std::size_t i = 0; i < lengths.size(); i++) {
        const auto tensor = model.at(std::to_string(i));
        EXPECT_EQ(tensor.byte_length(), lengths[i]);
        // Without a map, a long file would be read into memory.
        if (!map && lengths[i] > gib) continue;
        const auto bytes = tensor.as<std::uint8_t>();
        ASSERT_EQ(bytes.size(), lengths[i]);
        EXPECT_EQ(bytes.back(), 0xa5);
        EXPECT_EQ(std::find(bytes.begin(), bytes.end(), 0xa5), bytes.end() - 1);
      }
      const auto last = model.tensor(model.size() - 1);
      EXPECT_EQ(last.offset() + last.byte_length(), checkpoint.byte_length());
    }
  }

  Scratch scratch_;
};

TEST_F(LongFiles, OfMoreThan4GibAreRead) {
  const Lengths lengths = {2 * gib + 4'000, 2 * gib + (100u << 20), 200};
  const std::string path = make("long.ckpt", lengths);
  check(path, lengths);
  const auto model = lightwatch::load_checkpoint(path).model();
  EXPECT_GT(model.at("1").offset(), gib * 2);
  const std::uint64_t last = model.at("2").offset();
  EXPECT_GT(last, gib * 4);

  // Damage is found behind that length, too.
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_NE(file, -1);
  const std::uint8_t bytes[] = {1, 0, 1};
  const auto refused = [&] {
    return refusal([&] { lightwatch::load_checkpoint(path).model().at("2").bytes(); });
  };
  ASSERT_EQ(::pwrite(file, bytes, 1, static_cast<off_t>(last - 1)), 1);
  EXPECT_EQ(refused(), "CKPT_FORMAT gap");
  ASSERT_EQ(::pwrite(file, bytes + 1, 2, static_cast<off_t>(last - 1)), 2);
  EXPECT_EQ(refused(), "CKPT_TENSOR_CHECKSUM");
  ::close(file);
}

TEST_F(LongFiles, AroundTheLimitOfFlatBuffersAreRead) {
  constexpr std::uint64_t limit = (std::uint64_t{1} << 31) - 1;
  const std::uint64_t start =
      lightwatch::load_checkpoint(make("short.ckpt", {1})).model().at("0").offset();
  // The longest file that is still a FlatBuffer, and the next longer one.
  for (const std::uint64_t length : {limit - 1 - start, limit - start}) {
    const std::string path = make("around.ckpt", {length});
    EXPECT_EQ(std::filesystem::file_size(path), start + length);
    check(path, {length});
    std::filesystem::remove(path);
  }
}

}  // namespace
