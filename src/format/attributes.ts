/**
 * Attributes: the typed tree that holds what a state is made of beside its tensors (hyper-parameters,
 * parameter groups, counters, a scheduler's or a sampler's state). Unlike JSON it keeps NaN, the
 * infinities, -0 and bigints as they are.
 */

/** A value in a tree of attributes. A number is a double; a bigint is an int64 or a uint64. */
export type Attribute =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Attribute[]
  | { readonly [key: string]: Attribute }

export type Attributes = { readonly [key: string]: Attribute }
