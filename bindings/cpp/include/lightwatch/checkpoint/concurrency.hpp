// Work in several threads. If the system starts none, the calling thread does all of the work.

#ifndef LIGHTWATCH_CHECKPOINT_CONCURRENCY_HPP
#define LIGHTWATCH_CHECKPOINT_CONCURRENCY_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace lightwatch {
namespace detail {

/// Starts a thread. Returns a thread that is not joinable if the system refuses.
template <class Work>
std::thread start_thread(const Work &work) {
  try {
    return std::thread(work);
  } catch (const std::system_error &) {
    return {};
  }
}

/// Runs `there` in another thread and `here` in this one. Returns or throws after both have ended.
/// If both throw, the error of `here` is thrown.
template <class There, class Here>
void do_both(const There &there, const Here &here) {
  std::exception_ptr failure;
  const auto caught = [&] {
    try {
      there();
    } catch (...) {
      failure = std::current_exception();
    }
  };
  std::thread thread = start_thread(caught);
  try {
    here();
  } catch (...) {
    if (thread.joinable()) thread.join();
    throw;
  }
  if (thread.joinable()) {
    thread.join();
  } else {
    caught();
  }
  if (failure) std::rethrow_exception(failure);
}

/// The most threads for one job: copies gain little from more.
constexpr unsigned most_threads = 4;

/// Calls `work(i)` for each `i` below `count`, in several threads if `count` is above 1. After a
/// failure no new call begins. When all have ended, the failure with the smallest `i` is thrown.
template <class Work>
void do_each(std::size_t count, const Work &work) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::size_t failed = count;
  std::exception_ptr failure;
  const auto take_turns = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex);
        next = count;
        if (i < failed) {
          failed = i;
          failure = std::current_exception();
        }
      }
    }
  };
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  const std::size_t threads = std::min<std::size_t>(count, std::min(cores, most_threads));
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < threads; i++) others.push_back(start_thread(take_turns));
  take_turns();
  for (std::thread &other : others) {
    if (other.joinable()) other.join();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace detail
}  // namespace lightwatch

#endif
