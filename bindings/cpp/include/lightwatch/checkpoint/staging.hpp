// Pieces of memory between a thread that fills them and one that writes them.

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

/// Bytes of a piece: it stays in a processor's cache until it has been summed and written.
constexpr std::size_t piece_length = 1024 * 1024;

/// A ring of pieces. One thread fills them in turn, another one takes them in the same order.
class StagingRing {
 public:
  /// Memory to fill, of `piece_length` bytes: waits until there is some. Null after `stop`.
  std::uint8_t *room() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || filled_ - taken_ < pieces_.size(); });
    if (stopped_) return nullptr;
    std::vector<std::uint8_t> &memory = pieces_[filled_ % pieces_.size()].memory;
    memory.resize(piece_length);
    return memory.data();
  }

  /// Hands over the memory that `room` returned, with so many bytes in it.
  void give(std::size_t length) {
    const std::lock_guard<std::mutex> lock(mutex_);
    pieces_[filled_ % pieces_.size()].length = length;
    filled_++;
    changed_.notify_all();
  }

  /// No more is given.
  void end() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  /// The next piece that was filled: waits for it. It is the caller's until `release`. Without data
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

  /// Nothing more is taken: `room` waits no longer.
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
