import test from 'ava'
import { programsFor } from '../../../viewer/src/views/tensor/code.js'
import fc from '../../support/fast-check.js'

const facts = { dtype: 'float32', shape: [2], byteLength: 8, segment: null } as const

test('a name is a literal of the language, whole, whatever is in it', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (name, state) => {
      const programs = programsFor({ ...facts, state, name }, 'run.ckpt')
      for (const { language, text } of programs) {
        // Nothing that an editor hides, or that ends a line or a literal early.
        if (!/^[\t\n\x20-\x7e]*$/.test(text)) throw new Error(`${language}: ${text}`)
      }
      const typescript = programs.find(({ language }) => language === 'TypeScript')!.text
      const [, literal] = /\.get\(('[^']*')\)\n/.exec(typescript)!
      if (Function(`return ${literal}`)() !== name) throw new Error(typescript)
    }),
  )
  t.pass()
})

test('the elements of each dtype have the type that the reader views them as', (t) => {
  const lines = (dtype: 'bfloat16' | 'complex64' | 'int4') =>
    programsFor({ ...facts, state: 'optimizer', name: 'm', dtype }, 'run.ckpt')
      .map(({ text }) => text)
      .join('\n')
  t.regex(lines('bfloat16'), /as<std::uint16_t>.*&\[u16\].*Slice\[uint16\].*\.shorts\(\)/s)
  t.regex(lines('complex64'), /std::complex<float>.*&\[\[f32; 2\]\].*complex64.*\.floats\(\)/s)
  t.regex(lines('int4'), /std::uint8_t.*&\[u8\].*Slice\[uint8\].*\.bytes\(\)/s)
})
