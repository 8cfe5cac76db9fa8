// Saves a checkpoint again: `lightwatch-writer DESCRIPTION OUT`.
//
// The description of a state is a checkpoint of it. The writer loads it, verifies it in full, and
// saves its states to OUT, with their attributes, metrics, progress and tied tensors. All writing
// libraries produce the same bytes for the same state, so OUT equals a DESCRIPTION that one of them
// has written. test/conformance compares the two.

#include <exception>
#include <iostream>

#include "rewrite.hpp"

int main(int count, char **arguments) {
  if (count != 3) {
    std::cerr << "usage: lightwatch-writer DESCRIPTION OUT\n";
    return 2;
  }
  try {
    writer::Description(arguments[1]).save(arguments[2]);
    return 0;
  } catch (const std::exception &error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
