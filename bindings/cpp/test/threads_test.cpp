// Several threads may use a checkpoint at once. Run this with the thread sanitizer.

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <lightwatch/checkpoint.hpp>
#include <string>
#include <thread>
#include <vector>

#include "files.hpp"

namespace {

TEST(Threads, MayAllReadTheSameTensors) {
  for (const bool map : {true, false}) {
    for (int round = 0; round < 20; round++) {
      lightwatch::LoadOptions options;
      options.map = map;
      const auto checkpoint = lightwatch::load_checkpoint(golden_path(), options);
      std::atomic<std::size_t> total{0};
      std::vector<std::thread> threads;
      for (int i = 0; i < 4; i++) {
        threads.emplace_back([&, i] {
          std::size_t sum = 0;
          if (i == 3) checkpoint.verify();
          for (const auto &[name, tensor] : checkpoint.model()) {
            for (const std::byte byte : tensor.bytes()) sum += std::to_integer<std::size_t>(byte);
            sum += checkpoint.model().at(name).shape().size();
          }
          total += sum;
        });
      }
      for (std::thread &thread : threads) thread.join();
      EXPECT_GT(total, 0u);
      EXPECT_EQ(total % 4, 0u) << "they have not read the same";
    }
  }
}

}  // namespace
