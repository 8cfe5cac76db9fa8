#include <gtest/gtest.h>

#include <lightwatch/checkpoint.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>

#include "files.hpp"

namespace {

using lightwatch::CheckpointError;
using lightwatch::ErrorCode;

static_assert(std::is_nothrow_copy_constructible_v<CheckpointError>);

CheckpointError error_of(const std::string &path) {
  try {
    lightwatch::load_checkpoint(path);
  } catch (const CheckpointError &error) {
    return error;
  }
  throw std::logic_error("it was accepted");
}

TEST(Error, SaysWhatTheSystemSaid) {
  const Scratch scratch;
  const std::string path = scratch.path("missing.ckpt");
  const CheckpointError error = error_of(path);
  EXPECT_EQ(error.code(), ErrorCode::read);
  EXPECT_EQ(error.rule(), "");
  EXPECT_EQ(error.path(), path);
  EXPECT_TRUE(error.system_error() == std::errc::no_such_file_or_directory);
  EXPECT_EQ(error.what(), "\"" + path +
                              "\": the file could not be opened: No such file or directory "
                              "(CKPT_READ)");
}

TEST(Error, NamesTheFileSafely) {
  const Scratch scratch;
  const CheckpointError error = error_of(scratch.file("a\x1b[31m", {1, 2, 3}));
  EXPECT_EQ(error.code(), ErrorCode::not_a_checkpoint);
  EXPECT_EQ(std::string(error.what()).find('\x1b'), std::string::npos);
  EXPECT_NE(std::string(error.what()).find("a\\u{1b}[31m\": not a .ckpt file"),
            std::string::npos)
      << error.what();
}

TEST(Error, TellsWhatOtherFilesLookLike) {
  const Scratch scratch;
  const auto said = [&](const std::string &start) {
    Bytes bytes(start.begin(), start.end());
    bytes.resize(100);
    return std::string(error_of(scratch.file("other", bytes)).what());
  };
  EXPECT_NE(said("PK\x03\x04").find("zip"), std::string::npos);
  EXPECT_NE(said("\x80\x02").find("pickle"), std::string::npos);
  EXPECT_NE(said("\x89HDF\r\n\x1a\n").find("HDF5"), std::string::npos);
  EXPECT_NE(said("{\"a\": 1}").find("JSON"), std::string::npos);
  EXPECT_NE(said(std::string("\x10\0\0\0\0\0\0\0{", 9)).find("safetensors"), std::string::npos);
  EXPECT_NE(said("abcdefgh").find("LWCK"), std::string::npos);
}

TEST(Error, TellsTheVersions) {
  Bytes bytes = read_bytes(golden_path());
  const auto &root = *lightwatch::format::GetCheckpoint(bytes.data());
  const auto *at = reinterpret_cast<const std::uint8_t *>(&root);
  const auto *vtable = at - lightwatch::detail::read_number<std::int32_t>(at);
  const auto entry = lightwatch::detail::read_number<std::uint16_t>(
      vtable + lightwatch::format::Checkpoint::VT_VERSION);
  bytes[static_cast<std::size_t>(at - bytes.data()) + entry] = 2;
  const Scratch scratch;
  const CheckpointError error = error_of(scratch.file("newer.ckpt", bytes));
  EXPECT_EQ(error.code(), ErrorCode::version);
  EXPECT_NE(std::string(error.what()).find("version 2, and this library reads up to version 1"),
            std::string::npos)
      << error.what();
}

TEST(Error, APathWithAZeroByteIsTheCallersFault) {
  EXPECT_THROW(lightwatch::load_checkpoint(golden_path() + std::string("\0x", 2)),
               std::invalid_argument);
}

}  // namespace
