// The one family of errors of files, disks and wrong requests.

#ifndef LIGHTWATCH_CHECKPOINT_ERROR_HPP
#define LIGHTWATCH_CHECKPOINT_ERROR_HPP

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "lightwatch/checkpoint/quote.hpp"
#include "lightwatch/checkpoint/tables.hpp"

namespace lightwatch {

/// What an error carries besides its code and message; empty if it does not apply. Names are as
/// they are in the file, not made safe to print.
struct ErrorDetails {
  /// The broken rule of the format, such as `tensor.offset`.
  std::string rule{};
  /// The file, as the caller named it.
  std::string path{};
  /// The state: `model`, `optimizer`, or the name of an extra.
  std::string state{};
  std::string tensor{};
  /// Position in the file, in bytes.
  std::optional<std::uint64_t> offset{};
  /// The error of the operating system.
  std::error_code system_error{};
};

/// Why a checkpoint, or a part of it, was refused. `what()` is the path, a sentence with what was
/// expected and found, the code and the rule. Text from a file is escaped, so that it cannot steer
/// a terminal.
class CheckpointError : public std::runtime_error {
 public:
  CheckpointError(ErrorCode code, const std::string &message, ErrorDetails details = {})
      : std::runtime_error(sentence(code, message, details)),
        code_(code),
        message_(std::make_shared<const std::string>(message)),
        details_(std::make_shared<const ErrorDetails>(std::move(details))) {}

  /// The kind of the error, for programs.
  ErrorCode code() const noexcept { return code_; }

  /// The broken rule of the format; empty if the code has none.
  std::string_view rule() const noexcept { return details_->rule; }

  /// The file, as the caller named it; empty if there is none.
  const std::string &path() const noexcept { return details_->path; }

  /// The state of the fault, or empty.
  const std::string &state() const noexcept { return details_->state; }

  /// The name of the tensor of the fault, or empty.
  const std::string &tensor() const noexcept { return details_->tensor; }

  /// Position in the file, in bytes, if it is known.
  std::optional<std::uint64_t> offset() const noexcept { return details_->offset; }

  /// The error of the operating system; false if there was none.
  std::error_code system_error() const noexcept { return details_->system_error; }

  /// The same error, with the path of its file if it has none.
  CheckpointError with_path(const std::string &path) const {
    ErrorDetails details = *details_;
    if (details.path.empty()) details.path = path;
    return CheckpointError(code_, *message_, std::move(details));
  }

 private:
  static std::string sentence(ErrorCode code, const std::string &message,
                              const ErrorDetails &details) {
    std::string text;
    if (!details.path.empty()) text += quote(details.path) + ": ";
    text += message + " (" + to_string(code);
    if (!details.rule.empty()) text += ", " + details.rule;
    return text + ")";
  }

  ErrorCode code_;
  // Shared, so that copying an exception does not throw.
  std::shared_ptr<const std::string> message_;
  std::shared_ptr<const ErrorDetails> details_;
};

}  // namespace lightwatch

#endif
