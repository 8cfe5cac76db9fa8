// Saves once, when its parent says so: `save_once DESCRIPTION PATH`. The description is a
// checkpoint of the state that it saves. The parent is test/support/crash of the repository, which
// kills this process at a system call or makes the call fail.
//
// It prints the numbers of its threads, waits for a byte on standard input, and prints the result
// of the save. Before and after the save it calls `access` on a name that does not exist, which
// marks the save in a trace.

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

// The names that the parent looks for in the trace.
constexpr const char *begins = "/lightwatch-save-begins";
constexpr const char *ends = "/lightwatch-save-ends";

void mark(const char *name) {
  // The file does not exist.
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

/// Runs in its own thread, so that all system calls of that thread belong to the save.
void save_when_told(const char *description_path, const char *path) {
  const writer::Description description(description_path);
  // Called early, so that its system calls are not part of the save.
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
