// Work by several threads, and the pieces between two of them.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <lightwatch/checkpoint.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using lightwatch::detail::do_both;
using lightwatch::detail::do_each;
using lightwatch::detail::StagingRing;

std::string message(const std::function<void()> &act) {
  try {
    act();
    return "";
  } catch (const std::runtime_error &error) {
    return error.what();
  }
}

TEST(DoEach, DoesEveryPieceOfWorkOnce) {
  for (const std::size_t count : {0u, 1u, 2u, 1000u}) {
    std::vector<std::atomic<int>> done(count);
    do_each(count, [&](std::size_t i) { done[i]++; });
    EXPECT_TRUE(std::all_of(done.begin(), done.end(), [](const auto &times) { return times == 1; }));
  }
}

TEST(DoEach, ThrowsTheFirstFailureWhenAllThreadsHaveEnded) {
  std::atomic<int> running{0};
  EXPECT_EQ(message([&] {
              do_each(100, [&](std::size_t i) {
                running++;
                std::this_thread::yield();
                running--;
                // No later one is begun before these.
                if (i >= 3) throw std::runtime_error(std::to_string(i));
              });
            }),
            "3");
  EXPECT_EQ(running, 0);
}

TEST(DoBoth, PrefersTheErrorOfTheCallingThread) {
  const auto fail = [](const char *text) { return [text] { throw std::runtime_error(text); }; };
  bool done = false;
  EXPECT_EQ(message([&] { do_both(fail("there"), fail("here")); }), "here");
  EXPECT_EQ(message([&] { do_both(fail("there"), [&] { done = true; }); }), "there");
  EXPECT_TRUE(done);
}

TEST(StagingRing, HandsPiecesOverInTheirOrder) {
  StagingRing ring;
  std::thread filler([&] {
    for (int i = 0; i < 50; i++) {
      ring.room()[0] = static_cast<std::uint8_t>(i);
      ring.give(static_cast<std::size_t>(i + 1));
    }
    ring.end();
  });
  for (std::size_t i = 0; i < 50; i++) {
    const auto piece = ring.take();
    ASSERT_EQ(piece.size(), i + 1);
    ASSERT_EQ(piece[0], i);
    ring.release();
  }
  EXPECT_EQ(ring.take().data(), nullptr);
  filler.join();
}

TEST(StagingRing, EndsTheFillingWhenItIsStopped) {
  StagingRing ring;
  std::thread filler([&] {
    while (ring.room() != nullptr) ring.give(1);
  });
  ring.take();
  ring.stop();
  filler.join();
  EXPECT_EQ(ring.room(), nullptr);
}

}  // namespace
