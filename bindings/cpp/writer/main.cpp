// Writes a checkpoint anew: `lightwatch-writer DESCRIPTION OUT`.
//
// The description of a state is a checkpoint of it. The writer loads it, verifies all of it, and
// saves its states with their attributes, metrics, progress and tied tensors to OUT. The libraries
// that write come to the same bytes for the same state, so OUT is a copy of each description that
// one of them has written; test/conformance compares them.

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
