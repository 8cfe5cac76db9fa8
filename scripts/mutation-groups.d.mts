interface Group {
  readonly mutate: readonly string[]
  readonly tests: readonly string[]
  readonly without?: readonly string[]
  readonly runs?: number
}

export const groups: Readonly<Record<string, Group>>
