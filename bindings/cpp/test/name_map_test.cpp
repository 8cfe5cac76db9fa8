#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <lightwatch/checkpoint/name_map.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using lightwatch::NameMap;
using lightwatch::detail::NameIndex;

NameIndex index_of(const std::vector<std::string> &names) {
  return NameIndex(names.size(), [&](std::size_t i) { return std::string_view(names[i]); });
}

TEST(NameIndex, TellsTheFirstNameThatIsThereTwice) {
  for (const std::size_t count : {0u, 1u, 2u, 7u, 8u, 9u, 100u}) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count; i++) names.push_back(std::to_string(i * 7919 % 1000));
    EXPECT_EQ(index_of(names).first_duplicate(), NameIndex::none);
    for (std::size_t of = 0; of < count; of++) {
      for (std::size_t twice = of + 1; twice < count; twice++) {
        auto changed = names;
        changed[twice] = names[of];
        // A second duplicate after it must not be reported instead.
        changed.push_back(names[of]);
        ASSERT_EQ(index_of(changed).first_duplicate(), twice) << count << " " << of;
      }
    }
  }
}

TEST(NameMap, KeepsItsOrderAndFindsEveryName) {
  for (const std::size_t count : {0u, 3u, 8u, 9u, 1000u}) {
    std::vector<std::pair<std::string, std::size_t>> entries;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count; i++) {
      names.push_back(std::to_string(i * 7919 % 1009));
      entries.emplace_back(names.back(), i);
    }
    const NameMap<std::size_t> map(entries, index_of(names));
    ASSERT_EQ(map.size(), count);
    ASSERT_EQ(map.empty(), count == 0);
    std::size_t next = 0;
    for (const auto &[name, value] : map) {
      EXPECT_EQ(value, next++);
      EXPECT_EQ(map.at(name), value);
    }
    EXPECT_EQ(next, count);
    for (const char *other : {"", "x", "1010", "00"}) {
      EXPECT_EQ(map.find(other), nullptr);
      EXPECT_FALSE(map.contains(other));
      EXPECT_THROW(map.at(other), std::out_of_range);
    }
  }
}

}  // namespace
