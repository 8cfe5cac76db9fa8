// A view of elements that lie one after the other: what std::span is, from C++20.

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

/// Elements in memory that somebody else owns. Copying one copies a pointer and a length. It
/// becomes a std::span where there is one.
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

  /// The first element; not to be read where the span is empty.
  constexpr T *data() const noexcept { return data_; }
  /// Number of elements.
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr std::size_t size_bytes() const noexcept { return size_ * sizeof(T); }
  constexpr bool empty() const noexcept { return size_ == 0; }

  constexpr T *begin() const noexcept { return data_; }
  constexpr T *end() const noexcept { return data_ + size_; }

  /// The element of a number below `size()`.
  constexpr T &operator[](std::size_t i) const noexcept { return data_[i]; }

  /// The same, checked: throws std::out_of_range.
  constexpr T &at(std::size_t i) const {
    if (i >= size_) throw std::out_of_range("lightwatch::Span::at");
    return data_[i];
  }

  constexpr T &front() const noexcept { return data_[0]; }
  constexpr T &back() const noexcept { return data_[size_ - 1]; }

  /// `count` elements from number `first` on. Throws std::out_of_range where there are fewer.
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
