// The files of the conformance tests: a valid file has the content in its JSON file, and an invalid
// one is refused with the rule in the list.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <lightwatch/checkpoint.hpp>
#include <string>
#include <vector>

#include "files.hpp"
#include "json.hpp"
#include "report.hpp"

namespace {

lightwatch::LoadOptions mapped(bool map) {
  lightwatch::LoadOptions options;
  options.map = map;
  return options;
}

std::vector<std::filesystem::path> valid_files() {
  std::vector<std::filesystem::path> paths;
  for (const auto &entry : std::filesystem::directory_iterator(corpus("valid"))) {
    if (entry.path().extension() == ".ckpt") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

TEST(Corpus, ValidFilesAreReadToTheirValues) {
  const auto paths = valid_files();
  EXPECT_GE(paths.size(), 20u);
  for (const auto &path : paths) {
    std::filesystem::path expected = path;
    const Json values = JsonReader::read(read_text(expected.replace_extension(".json")));
    for (const bool map : {true, false}) {
      const std::string report = reporter::report(path, mapped(map));
      EXPECT_TRUE(JsonReader::read(report) == values) << path << " is read as " << report;
    }
  }
}

TEST(Corpus, InvalidFilesAreRefusedByTheirRules) {
  const Json list = JsonReader::read(read_text(corpus("invalid.json")));
  EXPECT_GE(list.members.size(), 100u);
  for (const auto &[name, expected] : list.members) {
    for (const bool map : {true, false}) {
      const Json error =
          JsonReader::read(reporter::report(corpus("invalid/" + name + ".ckpt"), mapped(map)));
      ASSERT_EQ(error.members.count("error"), 1u) << name << " is accepted";
      EXPECT_TRUE(error["error"]["code"] == expected["code"]) << name;
      // An error for a truncated file may have an offset, but need not.
      if (expected["code"].text == "CKPT_FILE_LENGTH") continue;
      EXPECT_TRUE(error["error"]["rule"] == expected["rule"])
          << name << " is refused by " << error["error"]["rule"].text;
    }
  }
}

TEST(Corpus, WhatIsValidPassesTheVerifierOfFlatBuffers) {
  for (const auto &path : valid_files()) {
    const Bytes bytes = read_bytes(path);
    EXPECT_TRUE(lightwatch::detail::passes_flatbuffers(bytes.data(), bytes.size(), bytes.size()))
        << path;
  }
}

}  // namespace
