#include <gtest/gtest.h>

#include <lightwatch/checkpoint/name.hpp>
#include <lightwatch/checkpoint/quote.hpp>
#include <lightwatch/checkpoint/utf8.hpp>
#include <string>

namespace {

using lightwatch::quote;
using lightwatch::detail::is_utf8;
using lightwatch::detail::name_fault;

TEST(Utf8, EveryCharacterIsOneAndHasItsOwnCode) {
  for (char32_t code = 0; code <= 0x10ffff; code++) {
    if (code == 0xd800) code = 0xe000;
    std::string text;
    const auto add = [&text](char32_t byte) { text += static_cast<char>(byte); };
    if (code < 0x80) {
      add(code);
    } else if (code < 0x800) {
      add(0xc0 | (code >> 6));
      add(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
      add(0xe0 | (code >> 12));
      add(0x80 | ((code >> 6) & 0x3f));
      add(0x80 | (code & 0x3f));
    } else {
      add(0xf0 | (code >> 18));
      add(0x80 | ((code >> 12) & 0x3f));
      add(0x80 | ((code >> 6) & 0x3f));
      add(0x80 | (code & 0x3f));
    }
    const auto character = lightwatch::detail::first_character(text);
    ASSERT_EQ(character.code, code);
    ASSERT_EQ(character.length, text.size());
    // Truncated, it is not valid.
    if (text.size() > 1) {
      text.pop_back();
      ASSERT_FALSE(is_utf8(text)) << static_cast<std::uint32_t>(code);
    }
  }
}

TEST(Utf8, WhatIsNoneIsTold) {
  // Overlong forms, surrogates, characters above U+10FFFF, a continuation without a start, and
  // bytes that never occur.
  for (const char *text :
       {"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\x80", "\xbf", "\xff", "\xfe", "\xc3\x28", "\xe2\x28\xa1", "\xe2\x82\x28"}) {
    EXPECT_FALSE(is_utf8(text));
    // At every position within eight bytes that are tested together.
    for (std::size_t before = 0; before < 17; before++) {
      EXPECT_FALSE(is_utf8(std::string(before, 'a') + text + std::string(20, 'b'))) << before;
    }
  }
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("\xef\xbb\xbf"));
  EXPECT_TRUE(is_utf8(std::string(3, '\0') + "abcdefgh\xc3\xa9"));
}

TEST(Quote, EscapesWhatSteersATerminal) {
  EXPECT_EQ(quote("a\x1b[2J\n\xe2\x80\xae"
                  "b\xc2\x85"),
            R"("a\u{1b}[2J\u{a}\u{202e}b\u{85}")");
  EXPECT_EQ(quote("gr\xc3\xb6\xc3\x9f"
                  "e \"x\""),
            "\"gr\xc3\xb6\xc3\x9f"
            "e \\\"x\\\"\"");
  EXPECT_EQ(quote("\xff/a\xc3"), R"("\xff/a\xc3")");
  EXPECT_EQ(quote(std::string(201, 'x')), "\"" + std::string(200, 'x') + "\xe2\x80\xa6\"");
}

TEST(Name, HasOneTo65535BytesAndNoZero) {
  EXPECT_EQ(name_fault("a"), nullptr);
  EXPECT_EQ(name_fault(std::string(65'535, 'a')), nullptr);
  EXPECT_NE(name_fault(std::string(65'536, 'a')), nullptr);
  EXPECT_NE(name_fault(""), nullptr);
  EXPECT_NE(name_fault(std::string("a\0b", 3)), nullptr);
}

}  // namespace
