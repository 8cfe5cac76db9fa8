/** The help texts of `ckpt`. */

/** The usage of each command, in one line. */
export const USAGE = {
  inspect: 'ckpt inspect FILE [--json]',
  verify: 'ckpt verify FILE... [--json]',
  diff: 'ckpt diff FILE FILE [--tensors] [--quick] [--json] [--exit-code]',
  log: 'ckpt log FOLDER [--health] [--json]',
  latest: 'ckpt latest FOLDER',
  convert: 'ckpt convert IN OUT [OPTIONS]',
  view: 'ckpt view FILE|FOLDER|URL [--no-open]',
  help: 'ckpt help [COMMAND]',
} as const

/** The overview of all commands. */
export const OVERVIEW = `Looks into checkpoints of lightwatch-checkpoint (.ckpt files).

usage: ckpt COMMAND [OPTIONS] FILE...

commands:
  inspect FILE      what is in a checkpoint: progress, config, and every tensor
  verify FILE...    whether every byte is as it was saved
  diff FILE FILE    in what two checkpoints differ
  log FOLDER        the checkpoints of a run, one line each
  latest FOLDER     the newest checkpoint of a run that is valid, for scripts
  convert IN OUT    from or to safetensors, NumPy and others
  view FILE|FOLDER  look at a checkpoint or a run, in the browser
  help [COMMAND]    more about a command

options:
  -h, --help        this text
  --version         the version of this program, and of the file format

exit codes:
  0  all is well
  1  a file is damaged, is not a checkpoint, or cannot be read
  2  wrong usage
  3  the files differ (ckpt diff --exit-code)

environment:
  CKPT_DEBUG        if set, an error is printed with its stack
`

/** What each command does, its options, and the fields of its JSON. */
export const HELP: { readonly [command in keyof typeof USAGE]: string } = {
  inspect: `Prints what is in a checkpoint: how far the run had come, its config, the
sizes, and for each state (the model, the optimizer, and whatever else was
saved) its attributes and its tensors. Reads the metadata only, however large
the file is: "ckpt verify" reads the tensors. FILE may be an https:// address,
or an object of a bucket, s3://bucket/key (see below).

usage: ${USAGE.inspect}

options:
  --json      everything as one JSON object, described below
  -h, --help  this text

A tensor marked "= other" is tied: it has no bytes of its own, but those of the
other one. Elements and bytes of a state count them once. "overhead" is what is
not bytes of tensors: the metadata and the alignment. A long list of attributes
is cut short. A name that is too long for a terminal loses its middle; without
a terminal names are printed whole. What could steer a terminal is escaped. A
config that is not JSON, or has more digits than a double, is printed as it is.

With --json (lengths and offsets are in bytes):
  file            the path as it was given
  version         version of the file format
  byteLength      length of the file
  metadataLength  length of the metadata
  epoch, step     integers
  loss            a number, or null if there is none yet
  metrics         numbers by name
  config          the config; null if there is none, if it is not JSON, or if it
                  is nested deeper than 100 levels
  configText      the text of it that is in the file, which keeps every digit
  sequence        place in the order of the saves of its run, or null
  savedAt         when it was saved, in milliseconds since 1970, or null
  model           a state
  optimizer       a state, or null
  extras          states, in the order in which they were saved
A state:
  name, kind      kind is null if the trainer did not say
  attributes      values by name
  elements        of its tensors, tied ones counted once
  byteLength      likewise
  tensors         in order: name, dtype, shape, elements, byteLength, offset
                  (from the start of the file), crc32 (a number), and sameAs:
                  null, or {state, tensor} of the first tensor over its bytes

Buckets: s3:// takes the package @aws-sdk/client-s3, installed next to this one,
and its environment: AWS_REGION, AWS_PROFILE, AWS_ACCESS_KEY_ID and so on, and
AWS_ENDPOINT_URL_S3 for another service than Amazon's.

What JSON cannot hold:
  in loss and metrics, the strings "NaN", "Infinity", "-Infinity" and "-0"
  stand for these numbers;
  in attributes they are {"$number": "NaN"} and so on, and a bigint is
  {"$bigint": "9007199254740993"}; a map whose only key begins with "$" is
  {"$map": {...}}, so that nothing else looks like one of these.
Fields may be added in later versions; none changes its meaning.
`,
  verify: `Reads every byte of each file and compares it with the checksums. Prints one
line for a valid file, and every damaged tensor of another one. A long check
shows how far it is if stderr is a terminal. FILE may be an https:// address,
or an object of a bucket, s3://bucket/key (see "ckpt help inspect").

usage: ${USAGE.verify}

options:
  --json      the result as one JSON object, described below
  -h, --help  this text

exit codes:
  0  all files are valid
  1  a file is damaged, is not a checkpoint, or cannot be read
     (or the reader of the output went away before the end)
  2  wrong usage

With --json:
  sound         whether all files are valid
  files         in the order in which they were given; each has
    file        the path as it was given
    verdict     "ok"; "damaged"; "not a checkpoint"; "unsupported", by this
                version or machine; "unreadable", by an error of the system
    byteLength  length of the file in bytes; null if it could not be opened
                as a checkpoint
    tensors     number of tensors; null likewise
    seconds     that the check took
    faults      empty for a valid file; each has code (null for an error that
                is not the file's), message, and where they apply state, tensor,
                byteLength (of the tensor), sameAs (each other {state, tensor}
                over the same bytes), offset (in the file), expected and actual
Fields may be added in later versions; none changes its meaning.
`,
  diff: `Prints in what the second checkpoint differs from the first: progress, config,
attributes, and the tensors that were added, removed or changed. Tensors with
equal checksums are not read. The others are read once, and verified; a table by
layer says how far their numbers are apart.

usage: ${USAGE.diff}

options:
  --tensors    a row for each tensor, not for each layer
  --quick      read no tensor: say which have changed, and not how far
  --json       the result as one JSON object, described below
  --exit-code  exit with 3 if the files differ
  -h, --help   this text

The table: "largest" and "mean" are of the absolute differences, "relative" is
the Euclidean norm of the difference as a share of that of the first tensor, and
"differ" the share of elements that differ. NaN equals NaN, and 0 equals -0. A
layer is a name without its last part; one with a single changed tensor stands
under the tensor's name. What was only saved at another time does not count as
different.

exit codes:
  0  the files were compared (with --exit-code: and hold the same training)
  1  a file is damaged, is not a checkpoint, or cannot be read
  2  wrong usage
  3  with --exit-code: the files differ

With --json:
  before, after     the paths as they were given
  equal             whether both hold the same training
  progress, config, save   values that differ, each with path, and before and
                    after where there is one; as in "ckpt inspect --json"
  states            those that differ: name, change ("added", "removed" or
                    "changed"), kind, attributes, equalTensors, and tensors:
                    name, change ("added", "removed", "shape", "dtype" or
                    "bytes"), before and after (dtype, shape, byteLength; or
                    null), and difference, or null: elements, differing, share,
                    nonFinite, largest, mean, norm, baseNorm, relativeNorm
Fields may be added in later versions; none changes its meaning.
`,
  log: `Prints a line for each .ckpt file in a folder, in the order in which they were
saved: epoch, step, loss, metrics, size, and what has changed from one to the
next. Reads the metadata only. Below stands the loss as a line of bars. FOLDER
may be a prefix of a bucket, s3://bucket/prefix (see "ckpt help inspect").

usage: ${USAGE.log}

options:
  --health    read the tensors too, and look for NaN and infinities
  --json      the result as one JSON object, described below
  -h, --help  this text

exit codes:
  0  all is well
  1  a file is damaged, is not a checkpoint, or cannot be read; or --health has
     found NaN or infinities
  2  wrong usage

With --json:
  folder        the path as it was given
  checkpoints   oldest first: file, epoch, step, loss, metrics, sequence,
                byteLength, tensors (their number), changed (in words; null for
                the first), nonFinite (null without --health; else state,
                tensor, nan and infinite, which are counts, of each with some)
  failures      files that could not be read: file, code, message
Fields may be added in later versions; none changes its meaning.
`,
  latest: `Prints the location of the newest checkpoint in a folder, in the order in which
they were saved, if every byte of it is as it was saved. Otherwise the one
before is tried, and stderr says why. Changes nothing. FOLDER may be a prefix of
a bucket, s3://bucket/prefix (see "ckpt help inspect").

usage: ${USAGE.latest}

options:
  -h, --help  this text

exit codes:
  0  there is a valid checkpoint
  1  there is none, or the folder cannot be read
  2  wrong usage
`,
  convert: `Writes what is in one file as a file of another format. The output replaces
what was at its path in one step, and only when all of it has been written;
checksums of the input are checked on the way. Memory: one tensor. Both may be
objects of a bucket, s3://bucket/key (see "ckpt help inspect"), and IN may be an
https:// address.

usage: ${USAGE.convert}

options:
  --only STATE      model, optimizer, or the name of an extra: that state alone,
                    which becomes the model of the output
  --rename FROM=TO  names that begin with FROM begin with TO instead; may be
                    given more than once. --rename module.= takes it away
  --dtype DTYPE     floats of the model become float64, float32, float16 or
                    bfloat16, rounded to the nearest, ties to even
  --parameters FILE the names of an optimizer's parameters in a PyTorch file:
                    one a line, in the optimizer's order
  --exact           a model alone keeps the order of its tensors and their ties
                    as well; tied tensors are written once
  --raw             a dtype that the output cannot hold is written as its bytes
  --from FORMAT     the format of the input, if its content does not tell
  --to FORMAT       the format of the output, if its extension does not tell
  --dry-run         print what would be written, and write nothing
  -h, --help        this text

formats:
  ckpt               .ckpt
  safetensors        .safetensors; read, too: .safetensors.index.json, with its
                     shards next to it
  npz, npy           NumPy: .npz; .npy (read)
  pytorch            .pt, .pth, .bin (read)
  model.json         TensorFlow.js: model.json, with its shards next to it

A whole checkpoint keeps all that it has: its tensors are called model.NAME,
optimizer.NAME and extras.EXTRA.NAME, and the rest is with them as JSON. What
is only a model keeps its names.
`,
  view: `Shows a checkpoint, a folder of them or the file at an https:// address in the
browser: whether it is valid and healthy, its tensors with their histograms, its
bytes, and a run by its steps. s3://bucket/prefix is a folder too. Reads .ckpt,
safetensors, PyTorch and .npz. The page comes from this process, which listens
on this machine only, under an address that nobody can guess. It reads what was
named, changes nothing, and sends nothing anywhere. Ctrl-C ends it.

usage: ${USAGE.view}

options:
  --no-open   print the address, and open no tab
  -h, --help  this text

exit codes:
  0  it was ended
  1  there is nothing to show
  2  wrong usage
`,
  help: `Prints what a command does and which options it has.

usage: ${USAGE.help}
`,
}
