#include <cstddef>
#include <iostream>
#include <lightwatch/checkpoint.hpp>

std::size_t count_tensors(const lightwatch::Checkpoint &checkpoint);

int main(int, char **arguments) {
  const auto checkpoint = lightwatch::load_checkpoint(arguments[1]);
  checkpoint.verify();
  std::cout << checkpoint.epoch() << " " << count_tensors(checkpoint) << "\n";
}
