// A tensor of a checkpoint: a typed, shaped view of memory.

#ifndef LIGHTWATCH_CHECKPOINT_TENSOR_HPP
#define LIGHTWATCH_CHECKPOINT_TENSOR_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "lightwatch/checkpoint/contents.hpp"
#include "lightwatch/checkpoint/dtype.hpp"
#include "lightwatch/checkpoint/element.hpp"
#include "lightwatch/checkpoint/error.hpp"
#include "lightwatch/checkpoint/quote.hpp"
#include "lightwatch/checkpoint/span.hpp"

namespace lightwatch {

/// A handle, cheap to copy, that keeps the file's memory alive. **Its spans and names do not**:
/// keep the tensor, its checkpoint, or `owner()` as long as you use one of them. Several threads
/// may use a tensor at once.
class Tensor {
 public:
  /// The key in the state dict.
  std::string_view name() const noexcept { return record_->name; }

  /// The type of the elements.
  DType dtype() const noexcept { return record_->dtype; }

  /// Length of each dimension in elements, outermost first; empty for a scalar. Elements are in
  /// row-major order, without strides or gaps.
  Span<const std::uint64_t> shape() const noexcept { return record_->shape(); }

  /// Number of elements; 1 for a scalar.
  std::uint64_t element_count() const noexcept {
    std::uint64_t count = 1;
    for (const std::uint64_t length : shape()) count *= length;
    return count;
  }

  /// Length in bytes.
  std::uint64_t byte_length() const noexcept { return record_->byte_length; }

  /// Position of the first byte in the file; a multiple of 64.
  std::uint64_t offset() const noexcept { return record_->offset; }

  /// The checksum of the bytes, as stored in the file.
  std::uint32_t crc32() const noexcept { return record_->crc32; }

  /// The bytes, in place. The first call verifies the checksum and the bytes before the tensor.
  /// Throws CKPT_TENSOR_CHECKSUM or CKPT_FORMAT (rule `gap`) if they are damaged. Without a map it
  /// also throws CKPT_READ or CKPT_FILE_CHANGED if they cannot be read.
  Span<const std::byte> bytes() const { return as<std::byte>(); }

  /// The elements, in place. Element lists the type of each dtype. Throws CKPT_STATE_MISMATCH if
  /// `T` does not fit the dtype or the elements are not aligned for it, and the errors of
  /// `bytes()`.
  template <class T>
  Span<const T> as() const {
    static_assert(std::is_trivially_copyable_v<T>, "elements are bytes of a file");
    if (!Element<T>::holds(dtype())) {
      mismatch(std::string("is ") + dtype_name(dtype()) +
               ", which the type that it is asked for as does not hold");
    }
    const std::uint8_t *at = contents_->bytes({*state_, *record_});
    if (reinterpret_cast<std::uintptr_t>(at) % alignof(T) != 0 || byte_length() % sizeof(T) != 0) {
      mismatch("is not aligned for the type that it is asked for as");
    }
    return {reinterpret_cast<const T *>(at), static_cast<std::size_t>(byte_length() / sizeof(T))};
  }

  /// Copies the bytes to `target`, which has room for `length` bytes. Each call verifies them while
  /// it copies; without a map they are not kept. Throws CKPT_STATE_MISMATCH if `length` is not
  /// `byte_length()`, and the errors of `bytes()`. After an error the content of `target` is
  /// undefined.
  void read_into(void *target, std::uint64_t length) const {
    if (length != byte_length()) {
      mismatch("has " + std::to_string(byte_length()) + " bytes, and the memory for it " +
               std::to_string(length));
    }
    contents_->copy({*state_, *record_}, static_cast<std::uint8_t *>(target));
  }

  /// Reads the bytes, and verifies them and the bytes before them, at each call and whatever the
  /// options of the load. Throws the errors of `bytes()`.
  void verify() const { contents_->check({*state_, *record_}); }

  /// Whether both are over the same bytes of the same checkpoint: tied weights.
  bool shares_memory_with(const Tensor &other) const noexcept {
    return contents_ == other.contents_ && record_->segment == other.record_->segment;
  }

  /// Owner of the memory behind spans and names. The memory is released with the last owner and the
  /// last handle.
  std::shared_ptr<const void> owner() const noexcept { return contents_; }

 private:
  friend class State;

  Tensor(std::shared_ptr<const detail::Contents> contents, const detail::StateRecord *state,
         const detail::TensorRecord *record) noexcept
      : contents_(std::move(contents)), state_(state), record_(record) {}

  [[noreturn]] void mismatch(const std::string &what) const {
    ErrorDetails details;
    details.state = state_->name;
    details.tensor = name();
    throw CheckpointError(ErrorCode::state_mismatch,
                          "the tensor " + quote(name()) + " " + what, details);
  }

  std::shared_ptr<const detail::Contents> contents_;
  const detail::StateRecord *state_;
  const detail::TensorRecord *record_;
};

}  // namespace lightwatch

#endif
