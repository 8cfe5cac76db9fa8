package lightwatch.checkpoint;

/** The tables of the schema, as data that drives the verifier. */
final class Schema {
  private Schema() {}

  /** The type of a field. */
  sealed interface Type {
    /** Bytes that it takes in its table. */
    int size();
  }

  /** A number of {@code size} bytes, with the same alignment; a bool is 0 or 1. */
  record Scalar(int size, boolean bool) implements Type {}

  /** An offset to text. */
  record StringType() implements Type {
    @Override
    public int size() {
      return 4;
    }
  }

  /** An offset to a table. */
  record TableType(Table table) implements Type {
    @Override
    public int size() {
      return 4;
    }
  }

  /** An offset to a vector of scalars or tables. */
  record VectorType(Type element) implements Type {
    @Override
    public int size() {
      return 4;
    }
  }

  /** An offset to a vector beyond the metadata, in a segment: the format's rules place it. */
  record SegmentType() implements Type {
    @Override
    public int size() {
      return 4;
    }
  }

  /**
   * A field of a table.
   *
   * @param slot position of its entry in the vtable, in bytes: 4 for the first, 6 for the next
   */
  record Field(String name, int slot, boolean required, Type type) {}
}
