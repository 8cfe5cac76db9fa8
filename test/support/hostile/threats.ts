/**
 * What has gone wrong elsewhere with files of this kind, or could: each threat with the fixtures of the
 * catalogue and the tests that stand for it, or with the reason why there is nothing to test.
 */

export interface Threat {
  readonly threat: string
  /** Names of fixtures, or patterns that at least one of them fits. */
  readonly fixtures?: readonly (string | RegExp)[]
  /** Files of tests, from the folder of the tests and without what tells their suite. */
  readonly tests?: readonly string[]
  /** Why it cannot happen here. */
  readonly never?: string
}

/** The file as a whole. */
const container: readonly Threat[] = [
  { threat: 'an empty file', fixtures: ['an empty file'] },
  { threat: 'a file cut off anywhere', tests: ['hostile/damage'] },
  { threat: 'any bit changed', tests: ['hostile/damage'] },
  { threat: 'another kind of file', fixtures: ['another identifier', 'a zip archive', 'a pickle'] },
  { threat: 'a version that is not known yet', fixtures: ['version 2', 'version 2^32 - 1'] },
  {
    threat: 'something in front of the file or behind it, so that it is two files in one',
    fixtures: [
      'two files in a row',
      'a file with a zip archive behind it',
      'a page of HTML with a checkpoint behind it',
      'an executable with a checkpoint behind it',
      'bytes behind the last segment that belong to nothing',
    ],
  },
  {
    threat: 'a length of the metadata that is 0, beyond the file, or beyond what a number holds',
    fixtures: [/^a metadata length of/, 'a metadata length beyond the file'],
  },
  {
    threat: 'a length of the file that is not its length',
    fixtures: [/^a file length of/, 'a file without its last byte', 'a file with a byte too many'],
  },
  { threat: 'a sparse file of a pebibyte', tests: ['hostile/special-files'] },
  {
    threat: 'a FIFO, a device, a folder, a file that the system makes up',
    tests: ['hostile/special-files', 'io/file/file-source'],
  },
  {
    threat: 'bad contents under checksums that fit',
    fixtures: [/./],
    tests: ['hostile/damage'],
  },
  {
    threat: 'a checksum that is said to be of another kind, or none',
    never: 'there is one kind of checksum, and no field that says which',
  },
]

/** The FlatBuffer. */
const structure: readonly Threat[] = [
  { threat: 'a root offset that leads nowhere', fixtures: [/^a root table/] },
  {
    threat: 'a vtable outside of the buffer, odd, too short, over its table, of another type',
    fixtures: [/^a vtable/, 'a table that is its own vtable'],
  },
  {
    threat: 'a table or a field that does not lie where it has to',
    fixtures: [/^a table that/, /^a field/, 'a table without a length'],
  },
  {
    threat: 'a length of a vector that overflows',
    fixtures: [/^2\^(27|28|29|30|31|32)/, /bytes in a file of|of 2\^3/],
  },
  {
    threat: 'a string without its zero',
    fixtures: [/^a name that does not end/, /without its zero$/],
  },
  {
    threat: 'a number, a vector or its elements at an address that is not aligned',
    fixtures: [/not aligned$/, /aligned to/],
  },
  {
    threat: 'a union whose type and value do not go together',
    never: 'the schema has no union; npm run gen refuses a schema with one',
    tests: ['scripts/describe-schema'],
  },
  { threat: 'tables nested without end', fixtures: [/^lists nested/] },
  {
    threat: 'shared tables that double at each level',
    fixtures: [/^2\^28 values/, /^2\^55 values/],
  },
  { threat: 'a table that is listed a million times', fixtures: [/^900,000/] },
  { threat: 'a long string that is listed many times', fixtures: [/^200,000/, /^50 strings/] },
  { threat: 'tables in a circle', fixtures: [/contains itself$/, 'an offset backwards'] },
  {
    threat: 'a required field that is missing',
    fixtures: [/^an? .* without a (name|shape|key|value|model)/],
  },
  {
    threat: 'a number of an enum that there is not, a boolean of 2',
    fixtures: [/^the dtype/, /^a value of the kind/, /^a boolean of/],
  },
  { threat: 'an offset of 0 in a vector', fixtures: ['an offset of 0 in a vector'] },
]

/** The tensors. */
const tensors: readonly Threat[] = [
  {
    threat: 'a product of dimensions that overflows',
    fixtures: [/^a shape of/, /hides a dimension/],
  },
  { threat: 'a length that does not fit the shape', fixtures: [/^a length/] },
  {
    threat: 'an offset and a length that reach beyond the file, or wrap',
    fixtures: [/reaches beyond the end of the file/, /wraps to the start$/, /their sum is not$/],
  },
  {
    threat: 'segments that overlap, leave gaps, or are out of order',
    fixtures: [/^a segment (that|over)/, /^a shared segment/, /^segments in another order/],
  },
  {
    threat: 'bytes hidden in the padding',
    fixtures: ['a segment that is not aligned', /^something hidden/],
  },
  { threat: 'a rank that is too high', fixtures: [/dimensions$/] },
  {
    threat: 'a dtype that does not fit the bytes, or fills no whole ones',
    fixtures: ['a float64 with the bytes of a float32', /elements of 6 bits/],
  },
  {
    threat: 'a count far beyond what the file can hold',
    fixtures: ['2^28 tensors in a file of 2 KiB'],
    tests: ['hostile/memory'],
  },
  { threat: 'two tensors of one name', fixtures: ['two tensors of one name'] },
  {
    threat: 'NaN, infinities, -0 and subnormal numbers that come back as others',
    tests: ['laws', 'hostile/views'],
  },
]

/** Names and values. */
const names: readonly Threat[] = [
  { threat: 'names that every object has', tests: ['hostile/misleading-names'] },
  { threat: 'names that lead into a prototype', tests: ['hostile/misleading-names'] },
  {
    threat: 'text that is no UTF-8, is too long, is empty, has a zero or a mark, or a twin',
    fixtures: [/in the name of a tensor$/, /whose name is a megabyte$/],
    tests: ['hostile/misleading-names', 'save/collect'],
  },
  { threat: 'names that are paths', tests: ['hostile/misleading-names'] },
  { threat: 'names that steer a terminal', fixtures: [/steers a terminal$/, /direction of text$/] },
  {
    threat: 'JSON that says a thing twice, is nested without end, or loses numbers',
    fixtures: [/^a config/],
    tests: ['format/config'],
  },
  { threat: 'a learning rate of NaN', tests: ['format/attributes', 'load/load'] },
  {
    threat: 'getters and toJSON in what is saved',
    tests: ['format/config', 'save/collect'],
  },
]

const compression: readonly Threat[] = [
  { threat: 'a compressed bomb', never: 'nothing is compressed' },
]

/** The file system, and others at work in it. */
const filesystem: readonly Threat[] = [
  { threat: 'a link, a folder or a FIFO where a save goes', tests: ['io/file/file-sink'] },
  { threat: 'a link planted where the temporary file goes', tests: ['io/file/file-sink'] },
  {
    threat: 'the mode and the owner of the file that is replaced',
    tests: ['io/file/file-sink'],
  },
  { threat: 'a folder that cannot be written to', tests: ['crash/limits'] },
  {
    threat: 'a disk that is full',
    tests: ['crash/full-disk', 'crash/short-writes'],
  },
  {
    threat: 'a file that is changed between the check and the use',
    tests: ['hostile/changing-file', 'io/file/file-source'],
  },
  {
    threat: 'a mapped file that somebody truncates',
    never: 'the system ends the process; documented, and no save of ours does it',
  },
  {
    threat: 'two savers, a saver and a reader',
    tests: ['crash/readers', 'crash/killed-savers', 'crash-model/two-savers'],
  },
  {
    threat: 'temporary files that were left, or are not ours',
    tests: ['io/file/temporary-file'],
  },
  {
    threat: 'names that are too long',
    tests: ['io/file/file-sink', 'io/file/temporary-file'],
  },
  {
    threat: 'a folder that is removed during a save',
    tests: ['hostile/removed-folder'],
  },
  {
    threat: 'memory that is changed, taken away or resized during a save',
    tests: ['save/write', 'save/collect'],
  },
  { threat: 'a save in a thread of its own', tests: ['threads/sink-thread'] },
  { threat: 'an abort at any moment', tests: ['save/write', 'save/save'] },
]

/** Memory, as JavaScript has it. */
const memory: readonly Threat[] = [
  { threat: 'an array that shows more than its tensor', tests: ['hostile/views'] },
  { threat: 'an array that can be written to', tests: ['hostile/views'] },
  {
    threat: 'an array of gigabytes that a small file asks for',
    fixtures: ['a tensor of a petabyte in a file of a kilobyte'],
    tests: ['hostile/memory', 'hostile/special-files'],
  },
]

export const threats: readonly Threat[] = [
  ...container,
  ...structure,
  ...tensors,
  ...names,
  ...compression,
  ...filesystem,
  ...memory,
]
