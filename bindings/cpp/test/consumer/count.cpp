#include <cstddef>
#include <lightwatch/checkpoint.hpp>

std::size_t count_tensors(const lightwatch::Checkpoint &checkpoint) {
  std::size_t count = 0;
  for (const auto &entry : checkpoint.model()) count += entry.first.empty() ? 0 : 1;
  return count;
}
