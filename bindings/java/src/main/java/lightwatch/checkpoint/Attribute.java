package lightwatch.checkpoint;

import java.math.BigInteger;

/**
 * A node in a state's tree of attributes: hyper-parameters, parameter groups, counters. A value keeps
 * the kind in which it was saved, so that it can be saved again unchanged.
 */
public sealed interface Attribute {
  /** Nothing: {@code null}, {@code None}. */
  record Null() implements Attribute {
    static final Null INSTANCE = new Null();
  }

  /** A truth value. */
  record Bool(boolean value) implements Attribute {}

  /** An integer from -(2^53 - 1) to 2^53 - 1, which JavaScript reads as a number. */
  record Int(long value) implements Attribute {}

  /** Any int64, which JavaScript reads as a bigint. */
  record Int64(long value) implements Attribute {}

  /** An integer from 2^63 to 2^64 - 1. */
  record Uint64(BigInteger value) implements Attribute {
    /** Takes the 64 bits of an unsigned integer. */
    static Uint64 ofBits(long bits) {
      return new Uint64(new BigInteger(Long.toUnsignedString(bits)));
    }
  }

  /** Any double, including NaN, the infinities and -0. */
  record Float64(double value) implements Attribute {}

  /** Text, possibly empty; it may contain U+0000. */
  record Text(String value) implements Attribute {}

  /** A list, unmodifiable. */
  record Sequence(java.util.List<Attribute> items) implements Attribute {}

  /** A map, unmodifiable, in the order of the save. */
  record Mapping(java.util.Map<String, Attribute> entries) implements Attribute {}
}
