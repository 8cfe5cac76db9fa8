// Pieces of memory that one thread fills and another writes.

#ifndef LIGHTWATCH_CHECKPOINT_STAGING_HPP
#define LIGHTWATCH_CHECKPOINT_STAGING_HPP

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "lightwatch/checkpoint/span.hpp"

namespace lightwatch {
namespace detail {

/// Length of a piece in bytes: small enough to stay in a processor's cache until it has been summed
/// and written.
constexpr std::size_t piece_length = 1024 * 1024;

/// A ring of pieces. One thread fills them in turn, another takes them in the same order.
class StagingRing {
 public:
  /// Waits for a free piece and returns its `piece_length` bytes. Null after `stop`.
  std::uint8_t *room() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || filled_ - taken_ < pieces_.size(); });
    if (stopped_) return nullptr;
    std::vector<std::uint8_t> &memory = pieces_[filled_ % pieces_.size()].memory;
    memory.resize(piece_length);
    return memory.data();
  }

  /// Passes on the piece that `room` returned, with this number of bytes in it.
  void give(std::size_t length) {
    const std::lock_guard<std::mutex> lock(mutex_);
    pieces_[filled_ % pieces_.size()].length = length;
    filled_++;
    changed_.notify_all();
  }

  /// Ends the filling: no more pieces follow.
  void end() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  /// Waits for the next filled piece. The caller may use it until `release`. The result has no data
  /// at the end.
  Span<const std::uint8_t> take() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return ended_ || taken_ < filled_; });
    if (taken_ == filled_) return {};
    const Piece &piece = pieces_[taken_ % pieces_.size()];
    return {piece.memory.data(), piece.length};
  }

  void release() {
    const std::lock_guard<std::mutex> lock(mutex_);
    taken_++;
    changed_.notify_all();
  }

  /// Stops the taking: `room` no longer waits.
  void stop() {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

 private:
  struct Piece {
    std::vector<std::uint8_t> memory;
    std::size_t length = 0;
  };

  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<Piece, 4> pieces_;
  std::size_t filled_ = 0;
  std::size_t taken_ = 0;
  bool ended_ = false;
  bool stopped_ = false;
};

}  // namespace detail
}  // namespace lightwatch

#endif
