// The error of a refusal as text, for comparisons.

#ifndef LIGHTWATCH_TEST_REFUSAL_HPP
#define LIGHTWATCH_TEST_REFUSAL_HPP

#include <lightwatch/checkpoint.hpp>
#include <string>

/// Code and rule of the CheckpointError that `act` throws: "CKPT_FORMAT gap", "CKPT_READ". Empty if
/// it throws none.
template <class Act>
std::string refusal(const Act &act) {
  try {
    act();
    return "";
  } catch (const lightwatch::CheckpointError &error) {
    const std::string rule(error.rule());
    return to_string(error.code()) + (rule.empty() ? "" : " " + rule);
  }
}

/// The refusal of a file when all of it is read.
inline std::string refusal_of(const std::string &path, bool map = true) {
  lightwatch::LoadOptions options;
  options.map = map;
  return refusal([&] { lightwatch::load_checkpoint(path, options).verify(); });
}

#endif
