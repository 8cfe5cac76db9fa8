// A view of contiguous elements, as std::span in C++20.

#ifndef LIGHTWATCH_CHECKPOINT_SPAN_HPP
#define LIGHTWATCH_CHECKPOINT_SPAN_HPP

#include <cstddef>
#include <stdexcept>
#include <type_traits>

#if defined(__has_include) && __cplusplus >= 202002L
#if __has_include(<ranges>)
#include <ranges>
#endif
#endif

namespace lightwatch {

/// Elements in memory that another object owns. A copy of a span copies a pointer and a length.
/// Converts to a std::span where the standard library has one.
template <class T>
class Span {
 public:
  using element_type = T;
  using value_type = std::remove_cv_t<T>;
  using size_type = std::size_t;
  using pointer = T *;
  using reference = T &;
  using iterator = T *;
  using const_iterator = const T *;

  constexpr Span() noexcept = default;
  constexpr Span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}

  /// Pointer to the first element. Must not be dereferenced if the span is empty.
  constexpr T *data() const noexcept { return data_; }
  /// Number of elements.
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr std::size_t size_bytes() const noexcept { return size_ * sizeof(T); }
  constexpr bool empty() const noexcept { return size_ == 0; }

  constexpr T *begin() const noexcept { return data_; }
  constexpr T *end() const noexcept { return data_ + size_; }

  /// The element at an index below `size()`.
  constexpr T &operator[](std::size_t i) const noexcept { return data_[i]; }

  /// The same, with a bounds check: throws std::out_of_range.
  constexpr T &at(std::size_t i) const {
    if (i >= size_) throw std::out_of_range("lightwatch::Span::at");
    return data_[i];
  }

  constexpr T &front() const noexcept { return data_[0]; }
  constexpr T &back() const noexcept { return data_[size_ - 1]; }

  /// `count` elements from index `first` on. Throws std::out_of_range if there are fewer.
  constexpr Span subspan(std::size_t first, std::size_t count) const {
    if (first > size_ || count > size_ - first) {
      throw std::out_of_range("lightwatch::Span::subspan");
    }
    return Span(data_ + first, count);
  }

 private:
  T *data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace lightwatch

#if defined(__cpp_lib_ranges)
template <class T>
inline constexpr bool std::ranges::enable_borrowed_range<lightwatch::Span<T>> = true;
#endif

#endif
