// A trainer's tensor: where its elements are, and how a trainer's own type becomes one.

#ifndef LIGHTWATCH_CHECKPOINT_TENSOR_VIEW_HPP
#define LIGHTWATCH_CHECKPOINT_TENSOR_VIEW_HPP

#include <complex>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "lightwatch/checkpoint/dtype.hpp"
#include "lightwatch/checkpoint/tensor.hpp"

namespace lightwatch {

/// A tensor in memory. The elements are contiguous and row-major, and the trainer owns them.
struct TensorView {
  /// Writable elements of `dtype` at `data`.
  TensorView(DType dtype_, std::vector<std::uint64_t> shape_, void *data_)
      : dtype(dtype_), shape(std::move(shape_)), data(data_), target(data_) {}

  /// Read-only elements: they can be saved, but not restored into.
  TensorView(DType dtype_, std::vector<std::uint64_t> shape_, const void *data_)
      : dtype(dtype_), shape(std::move(shape_)), data(data_) {}

  DType dtype;
  /// Length of each dimension in elements, outermost first; empty for a scalar.
  std::vector<std::uint64_t> shape;
  /// Pointer to the first element.
  const void *data;
  /// The same address, or null if the memory is read-only.
  void *target = nullptr;
  /// Whether the memory belongs to an open file, so that no training can change it.
  bool in_file = false;
};

/// The dtype of a C++ element type: `ElementType<T>::dtype`. Add your own type by a specialization:
///
///     template <> struct lightwatch::ElementType<Half> {
///       static constexpr DType dtype = DType::float16;
///     };
template <class T, class Enable = void>
struct ElementType;

template <>
struct ElementType<float> {
  static constexpr DType dtype = DType::float32;
};
template <>
struct ElementType<double> {
  static constexpr DType dtype = DType::float64;
};
template <>
struct ElementType<bool> {
  static constexpr DType dtype = DType::boolean;
};
template <>
struct ElementType<std::complex<float>> {
  static constexpr DType dtype = DType::complex64;
};
template <>
struct ElementType<std::complex<double>> {
  static constexpr DType dtype = DType::complex128;
};
template <class T>
struct ElementType<T, std::enable_if_t<detail::is_number<T> && std::is_signed_v<T>>> {
  static constexpr DType dtype = sizeof(T) == 1   ? DType::int8
                                 : sizeof(T) == 2 ? DType::int16
                                 : sizeof(T) == 4 ? DType::int32
                                                  : DType::int64;
};
template <class T>
struct ElementType<T, std::enable_if_t<detail::is_number<T> && std::is_unsigned_v<T>>> {
  static constexpr DType dtype = sizeof(T) == 1   ? DType::uint8
                                 : sizeof(T) == 2 ? DType::uint16
                                 : sizeof(T) == 4 ? DType::uint32
                                                  : DType::uint64;
};

/// How a type becomes a tensor: `TensorTraits<T>::view(tensor)` returns its TensorView. The library
/// has traits for
///
/// - `TensorView`, and the tensors of an open checkpoint;
/// - `std::vector` of numbers;
/// - every class with `data()`, a pointer to the elements, and `shape()`, a range of lengths;
///   where it has `is_contiguous()` as well, that must be true;
/// - pointers to any of these, also `std::shared_ptr` and `std::reference_wrapper`.
///
/// Add your own by a specialization; docs/guide/cpp.md has one for LibTorch.
template <class T, class Enable = void>
struct TensorTraits;

template <>
struct TensorTraits<TensorView> {
  static TensorView view(const TensorView &tensor) { return tensor; }
};

template <>
struct TensorTraits<Tensor> {
  static TensorView view(const Tensor &tensor) {
    const Span<const std::uint64_t> shape = tensor.shape();
    const void *data = tensor.bytes().data();
    TensorView view(tensor.dtype(), {shape.begin(), shape.end()}, data);
    view.in_file = true;
    return view;
  }
};

template <class T>
struct TensorTraits<std::vector<T>> {
  static_assert(!std::is_same_v<T, bool>, "std::vector<bool> has no memory of bytes");
  static TensorView view(std::vector<T> &tensor) {
    return {ElementType<T>::dtype, {tensor.size()}, static_cast<void *>(tensor.data())};
  }
  static TensorView view(const std::vector<T> &tensor) {
    return {ElementType<T>::dtype, {tensor.size()}, static_cast<const void *>(tensor.data())};
  }
};

namespace detail {

template <class T, class = void>
struct has_shape : std::false_type {};
template <class T>
struct has_shape<T, std::void_t<decltype(std::declval<T &>().data()),
                                decltype(std::begin(std::declval<T &>().shape()))>>
    : std::is_pointer<decltype(std::declval<T &>().data())> {};

template <class T, class = void>
struct has_is_contiguous : std::false_type {};
template <class T>
struct has_is_contiguous<T, std::void_t<decltype(bool(std::declval<T &>().is_contiguous()))>>
    : std::true_type {};

template <class T, class = void>
struct points_to_another : std::false_type {};
template <class T>
struct points_to_another<T, std::void_t<decltype(*std::declval<T &>())>> : std::true_type {};

}  // namespace detail

template <class T>
struct TensorTraits<T, std::enable_if_t<detail::has_shape<T>::value>> {
  template <class U>
  static TensorView view(U &tensor) {
    if constexpr (detail::has_is_contiguous<U>::value) {
      if (!tensor.is_contiguous()) {
        throw std::invalid_argument("it is not contiguous; give a contiguous copy");
      }
    }
    std::vector<std::uint64_t> shape;
    // A reference into a temporary would dangle.
    const auto lengths = tensor.shape();
    for (const auto length : lengths) {
      if constexpr (std::is_signed_v<decltype(length)>) {
        if (length < 0) throw std::invalid_argument("it has a dimension of negative length");
      }
      shape.push_back(static_cast<std::uint64_t>(length));
    }
    auto *data = tensor.data();
    using Element = std::remove_pointer_t<decltype(data)>;
    constexpr DType dtype = ElementType<std::remove_const_t<Element>>::dtype;
    if constexpr (std::is_const_v<Element>) {
      return {dtype, std::move(shape), static_cast<const void *>(data)};
    } else {
      return {dtype, std::move(shape), static_cast<void *>(data)};
    }
  }
};

namespace detail {

template <class T>
struct refers_to_another : std::false_type {};
template <class T>
struct refers_to_another<std::reference_wrapper<T>> : std::true_type {};

/// The view of a tensor of any type that has traits, or that points to such a type.
template <class T>
TensorView view_tensor(T &tensor) {
  using Plain = std::remove_const_t<T>;
  if constexpr (refers_to_another<Plain>::value) {
    return view_tensor(tensor.get());
  } else if constexpr (points_to_another<T>::value && !has_shape<T>::value) {
    return view_tensor(*tensor);
  } else {
    return TensorTraits<Plain>::view(tensor);
  }
}

}  // namespace detail
}  // namespace lightwatch

#endif
