// Generated from schema/checkpoint.fbs; do not edit: npm run gen

import type { SchemaDescription } from '../src/format/description.js'

export const description: SchemaDescription = {
  identifier: 'LWCK',
  root: 'Checkpoint',
  tables: {
    Checkpoint: [
      { name: 'version', slot: 4, required: false, type: { base: 'scalar', scalar: 'uint32', size: 4 } },
      { name: 'metadata_length', slot: 6, required: false, type: { base: 'scalar', scalar: 'uint32', size: 4 } },
      { name: 'metadata_crc32', slot: 8, required: false, type: { base: 'scalar', scalar: 'uint32', size: 4 } },
      { name: 'file_length', slot: 10, required: false, type: { base: 'scalar', scalar: 'uint64', size: 8 } },
      { name: 'epoch', slot: 12, required: false, type: { base: 'scalar', scalar: 'int64', size: 8 } },
      { name: 'step', slot: 14, required: false, type: { base: 'scalar', scalar: 'int64', size: 8 } },
      { name: 'loss', slot: 16, required: false, type: { base: 'scalar', scalar: 'float64', size: 8 } },
      { name: 'metrics', slot: 18, required: false, type: { base: 'vector', element: { base: 'table', table: 'Metric' }, segment: false } },
      { name: 'config', slot: 20, required: false, type: { base: 'string' } },
      { name: 'model', slot: 22, required: true, type: { base: 'table', table: 'State' } },
      { name: 'optimizer', slot: 24, required: false, type: { base: 'table', table: 'State' } },
      { name: 'extras', slot: 26, required: false, type: { base: 'vector', element: { base: 'table', table: 'State' }, segment: false } },
      { name: 'sequence', slot: 28, required: false, type: { base: 'scalar', scalar: 'uint64', size: 8 } },
      { name: 'saved_at', slot: 30, required: false, type: { base: 'scalar', scalar: 'uint64', size: 8 } },
    ],
    Entry: [
      { name: 'key', slot: 4, required: true, type: { base: 'string' } },
      { name: 'value', slot: 6, required: true, type: { base: 'table', table: 'Value' } },
    ],
    Metric: [
      { name: 'name', slot: 4, required: true, type: { base: 'string' } },
      { name: 'value', slot: 6, required: false, type: { base: 'scalar', scalar: 'float64', size: 8 } },
    ],
    State: [
      { name: 'name', slot: 4, required: true, type: { base: 'string' } },
      { name: 'kind', slot: 6, required: false, type: { base: 'string' } },
      { name: 'attributes', slot: 8, required: false, type: { base: 'vector', element: { base: 'table', table: 'Entry' }, segment: false } },
      { name: 'tensors', slot: 10, required: true, type: { base: 'vector', element: { base: 'table', table: 'Tensor' }, segment: false } },
    ],
    Tensor: [
      { name: 'name', slot: 4, required: true, type: { base: 'string' } },
      { name: 'dtype', slot: 6, required: false, type: { base: 'scalar', scalar: 'uint8', size: 1 } },
      { name: 'shape', slot: 8, required: true, type: { base: 'vector', element: { base: 'scalar', scalar: 'uint64', size: 8 }, segment: false } },
      { name: 'offset', slot: 10, required: false, type: { base: 'scalar', scalar: 'uint64', size: 8 } },
      { name: 'byte_length', slot: 12, required: false, type: { base: 'scalar', scalar: 'uint64', size: 8 } },
      { name: 'crc32', slot: 14, required: false, type: { base: 'scalar', scalar: 'uint32', size: 4 } },
      { name: 'data', slot: 16, required: false, type: { base: 'vector', element: { base: 'scalar', scalar: 'uint8', size: 1 }, segment: true } },
    ],
    Value: [
      { name: 'kind', slot: 4, required: false, type: { base: 'scalar', scalar: 'uint8', size: 1 } },
      { name: 'boolean', slot: 6, required: false, type: { base: 'scalar', scalar: 'bool', size: 1 } },
      { name: 'integer', slot: 8, required: false, type: { base: 'scalar', scalar: 'int64', size: 8 } },
      { name: 'uinteger', slot: 10, required: false, type: { base: 'scalar', scalar: 'uint64', size: 8 } },
      { name: 'number', slot: 12, required: false, type: { base: 'scalar', scalar: 'float64', size: 8 } },
      { name: 'text', slot: 14, required: false, type: { base: 'string' } },
      { name: 'list', slot: 16, required: false, type: { base: 'vector', element: { base: 'table', table: 'Value' }, segment: false } },
      { name: 'map', slot: 18, required: false, type: { base: 'vector', element: { base: 'table', table: 'Entry' }, segment: false } },
    ],
  },
}
