// Saves once, when it is told to, for a parent that is in its way: `save_once DESCRIPTION PATH`. The
// description is a checkpoint of the state that it saves. The parent is test/support/crash of the
// repository: it kills this process at a call to the system, or makes the call fail.
//
// It prints the numbers of its threads, waits for a byte on its standard input, and prints how the
// save ended. It begins and ends the save with a call that does nothing, `access` of a name that a
// trace shows.

#include <sys/syscall.h>
#include <unistd.h>

#include <exception>
#include <iostream>
#include <lightwatch/checkpoint.hpp>
#include <string>
#include <thread>

#include "report.hpp"
#include "rewrite.hpp"

namespace {

// The parent's words for it.
constexpr const char *begins = "/lightwatch-save-begins";
constexpr const char *ends = "/lightwatch-save-ends";

void mark(const char *name) {
  // There is no such file.
  if (::access(name, F_OK) == 0) std::cerr << name << " exists\n";
}

std::string outcome_of(const writer::Description &description, const std::string &path) {
  try {
    const auto report = description.save(path);
    return std::string("{\"durability\":\"") + lightwatch::to_string(report.durability) + "\"}";
  } catch (const lightwatch::CheckpointError &error) {
    std::string json = "{\"message\":" + reporter::json_string(error.what()) + ",\"code\":" +
                       reporter::json_string(lightwatch::to_string(error.code()));
    if (error.system_error()) {
      const std::string reason = lightwatch::detail::system_reason(error.system_error().value());
      json += ",\"cause\":" + reporter::json_string(reason.substr(0, reason.find(':')));
    }
    return json + "}";
  }
}

/// In a thread of its own, so that the calls of the save are those of this thread.
void save_when_told(const char *description_path, const char *path) {
  const writer::Description description(description_path);
  // What it says is no part of a save.
  lightwatch::detail::this_machine();
  std::cout << "{\"main\":" << ::getpid() << ",\"worker\":" << ::syscall(SYS_gettid) << "}"
            << std::endl;
  std::cin.get();
  mark(begins);
  const std::string outcome = outcome_of(description, path);
  mark(ends);
  std::cout << outcome << std::endl;
}

}  // namespace

int main(int count, char **arguments) {
  if (count != 3) return 2;
  std::thread(save_when_told, arguments[1], arguments[2]).join();
}
