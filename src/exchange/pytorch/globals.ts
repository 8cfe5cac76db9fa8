/**
 * The names that a pickle may use, which are those of PyTorch's reader of weights, and the values that they make.
 * Nothing is imported and no code is run. Any other name is refused, and the error names it.
 */

import { quote } from '../../printable.js'
import { isUint8Array } from '../../realm.js'
import { foreignFault } from '../training.js'
import {
  PyDict,
  PyGlobal,
  PyRefused,
  PyStorage,
  PyTensor,
  PyTuple,
  type PyValue,
  STORAGE_DTYPES,
  TORCH_DTYPES,
  type TorchDType,
} from './values.js'

type Make = (args: readonly PyValue[]) => PyValue

const DENSE =
  'make it dense in Python (to_dense(), dequantize(), or the plain tensor) and save again'

const refused = (what: string) => (): PyValue => new PyRefused(what, DENSE)

/** The names that may be called, and the values that the calls make. */
const CALLS: ReadonlyMap<string, Make> = new Map<string, Make>([
  ['collections.OrderedDict', ([items]) => dictOf(items)],
  ['collections.Counter', ([items]) => dictOf(items)],
  ['torch._utils._rebuild_tensor', rebuildTensor],
  ['torch._utils._rebuild_tensor_v2', rebuildTensor],
  [
    'torch._utils._rebuild_tensor_v3',
    ([storage, offset, size, strides, , , dtype, metadata]) =>
      tensorOf(storage, offset, size, strides, dtypeOf(dtype), metadata),
  ],
  ['torch._utils._rebuild_parameter', ([data = null]) => data],
  ['torch._utils._rebuild_parameter_with_state', ([data = null]) => data],
  ['torch._utils._rebuild_device_tensor_from_cpu_tensor', ([data = null]) => data],
  ['torch._utils._rebuild_qtensor', refused('a quantized tensor')],
  ['torch._utils._rebuild_sparse_tensor', refused('a sparse tensor')],
  ['torch._utils._rebuild_meta_tensor_no_storage', refused('a tensor without data (on "meta")')],
  ['torch._utils._rebuild_wrapper_subclass', refused('a tensor of a class of its own')],
  ['torch._utils._rebuild_device_tensor_from_numpy', refused('a tensor kept as a NumPy array')],
  ['torch._tensor._rebuild_from_type_v2', rebuildFromType],
  ['torch.nn.parameter.Parameter', ([data = null]) => data],
  ['torch.Size', ([items]) => new PyTuple(items === undefined ? [] : itemsOf(items))],
  ['torch.device', (args) => args.map(plainText).join(':')],
  ['torch.serialization._get_layout', ([name = null]) => name],
  ['_codecs.encode', encode],
  [
    'builtins.bytearray',
    ([first, ...rest]) => (first === undefined ? new Uint8Array(0) : encode([first, ...rest])),
  ],
  ['builtins.set', ([items]) => (items === undefined ? [] : [...itemsOf(items)])],
  ['builtins.complex', (args) => new PyTuple(args)],
])

/** Classes that may be instantiated with `cls.__new__(cls, *args)`, without arguments from the pickle. */
const NEW = new Set([
  'collections.OrderedDict',
  'collections.Counter',
  'torch.nn.parameter.Parameter',
  'torch.Size',
])

// Names of modules in Python 2.
const MODULES: { readonly [module: string]: string } = {
  __builtin__: 'builtins',
  'torch.tensor': 'torch._tensor',
}

/** The name of a class or function. Throws CKPT_FOREIGN_FILE, rule `pytorch.global`, for one that is not allowed. */
export function checkGlobal(module: string, name: string): PyGlobal {
  const known = Object.hasOwn(MODULES, module) ? MODULES[module] : module
  const full = `${known}.${name}`
  const isType =
    full.startsWith('torch.') && (isStorage(full) || isDtype(full) || isTensorClass(full))
  if (!CALLS.has(full) && !isType && !QUANTIZATION.has(full)) {
    throw foreignFault(
      'pytorch.global',
      `the file uses ${quote(full)}, which is more than tensors and plain values: load it in Python, and save ` +
        'the state dicts alone, with numbers and text for everything else',
      { actual: full },
    )
  }
  return new PyGlobal(full)
}

const QUANTIZATION = new Set(
  ['affine', 'symmetric'].flatMap((scheme) => [
    `torch.per_tensor_${scheme}`,
    `torch.per_channel_${scheme}`,
    'torch.per_channel_affine_float_qparams',
  ]),
)

function isStorage(full: string): boolean {
  const [, name] = /^torch\.(?:cuda\.|storage\.)?(\w+)$/.exec(full) ?? []
  return name === 'UntypedStorage' || STORAGE_DTYPES.has(name ?? '')
}

function isDtype(full: string): boolean {
  return TORCH_DTYPES.has(full.slice('torch.'.length))
}

/** Classes that are named but not called, as the type of a parameter's tensor. */
function isTensorClass(full: string): boolean {
  return /^torch\.(Tensor|nn\.parameter\.Buffer|(cuda\.)?[A-Z]\w*Tensor)$/.test(full)
}

/** The result of calling a name. Throws CKPT_FOREIGN_FILE, rule `pytorch.call`. */
export function callGlobal(name: string, args: readonly PyValue[]): PyValue {
  const make = CALLS.get(name)
  if (make === undefined) throw badCall(name)
  return make(args)
}

/** An object of a class. */
export function newObject(name: string, args: readonly PyValue[]): PyValue {
  if (!NEW.has(name)) throw badCall(name)
  return callGlobal(name, args)
}

function badCall(name: string): Error {
  return foreignFault(
    'pytorch.call',
    `the pickle calls ${quote(name)}, which is not called by PyTorch`,
    {
      actual: name,
    },
  )
}

function dictOf(items: PyValue | undefined): PyDict {
  const dict = new PyDict()
  if (items === undefined) return dict
  if (items instanceof PyDict) {
    for (const [key, value] of items.entries) dict.entries.set(key, value)
    return dict
  }
  for (const item of itemsOf(items)) {
    const [key, value, third] = itemsOf(item)
    if (key === undefined || value === undefined || third !== undefined) throw badArguments()
    dict.entries.set(key, value)
  }
  return dict
}

function itemsOf(value: PyValue): readonly PyValue[] {
  if (value instanceof PyTuple) return value.items
  if (Array.isArray(value)) return value
  throw badArguments()
}

function badArguments(): Error {
  return foreignFault(
    'pytorch.call',
    'the pickle calls a function with other arguments than PyTorch',
  )
}

function plainText(value: PyValue): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  throw badArguments()
}

/** Bytes, as Python 3 writes them in the protocol of Python 2. */
function encode([value, encoding]: readonly PyValue[]): PyValue {
  if (isUint8Array(value)) return value
  if (typeof value !== 'string' || (encoding !== 'latin1' && encoding !== 'latin-1')) {
    throw badArguments()
  }
  const bytes = new Uint8Array(value.length)
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code > 255) throw badArguments()
    bytes[i] = code
  }
  return bytes
}

function rebuildTensor([
  storage,
  offset,
  size,
  strides,
  ,
  ,
  metadata,
]: readonly PyValue[]): PyValue {
  const dtype = storage instanceof PyStorage ? storage.dtype : null
  return tensorOf(storage, offset, size, strides, dtype ?? TORCH_DTYPES.get('uint8')!, metadata)
}

/** A parameter or buffer with attributes of its own: the function's result. */
function rebuildFromType([make, type, args]: readonly PyValue[]): PyValue {
  if (!(make instanceof PyGlobal) || !(type instanceof PyGlobal) || !(args instanceof PyTuple)) {
    throw badArguments()
  }
  if (make.name === 'torch._tensor._rebuild_from_type_v2') throw badArguments()
  return callGlobal(make.name, args.items)
}

function dtypeOf(value: PyValue | undefined): TorchDType {
  const name = value instanceof PyGlobal ? value.name.slice('torch.'.length) : ''
  const dtype = TORCH_DTYPES.get(name)
  if (dtype === undefined) throw badArguments()
  return dtype
}

function tensorOf(
  storage: PyValue | undefined,
  offset: PyValue | undefined,
  size: PyValue | undefined,
  strides: PyValue | undefined,
  dtype: TorchDType,
  metadata: PyValue | undefined,
): PyTensor {
  if (!(storage instanceof PyStorage)) throw badArguments()
  const shape = itemsOf(size ?? null).map(lengthOf)
  const steps = itemsOf(strides ?? null).map(lengthOf)
  if (shape.length !== steps.length) throw badArguments()
  return new PyTensor(storage, dtype, lengthOf(offset), shape, steps, pendingOf(metadata))
}

function lengthOf(value: PyValue | undefined): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw badArguments()
  return value
}

function pendingOf(metadata: PyValue | undefined): string | null {
  if (!(metadata instanceof PyDict)) return null
  const set = [...metadata.entries]
    .filter(([, value]) => value === true)
    .map(([key]) => String(key))
  return set.length === 0 ? null : set.join(' and ')
}

/** The dtype of a class of storages; null for one of bytes. Throws CKPT_FOREIGN_FILE, rule `pytorch.storage`. */
export function storageDtype(type: PyValue | undefined): TorchDType | null {
  const full = type instanceof PyGlobal ? type.name : ''
  if (!isStorage(full)) {
    throw foreignFault('pytorch.storage', `the pickle has a storage of ${quote(full)}`, {
      actual: full,
    })
  }
  const dtype = STORAGE_DTYPES.get(full.slice(full.lastIndexOf('.') + 1))
  return dtype === undefined ? null : TORCH_DTYPES.get(dtype)!
}
