package lightwatch.checkpoint;

/**
 * The bytes of one tensor, or of several over the same memory. Lengths and positions in bytes.
 *
 * @param gapStart where what stands before it ends; from there to {@code offset} is the gap
 * @param crc32 as 32 bits
 * @param plain whether its length stands before it
 * @param state the state of the first tensor over it, which messages name
 * @param tensor the name of that tensor
 */
record Segment(
    long gapStart,
    long offset,
    long byteLength,
    int crc32,
    boolean plain,
    String state,
    String tensor) {
  /** Length of the gap: from 4 to 67. */
  int gapLength() {
    return (int) (offset - gapStart);
  }

  /** Where the segment ends. */
  long end() {
    return offset + byteLength;
  }
}
