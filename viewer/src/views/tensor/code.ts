/** The program that reads a tensor, in each language that has a reader. Names are literals of the language, whole. */

import { DTYPES } from '../../../../generated/dtypes.js'
import type { DType } from '../../../../src/format/dtype.js'
import type { TensorFacts } from '../../compute/facts.js'

/** A program that reads a tensor of a file. */
export interface Program {
  readonly language: string
  readonly text: string
}

/** How a language views the elements of a dtype. */
type View = 'f64' | 'f32' | 'c64' | 'c128' | `${'i' | 'u'}${8 | 16 | 32 | 64}`

/** The programs for a tensor of a `.ckpt` file. `file` is what the programs open. */
export function programsFor(tensor: TensorFacts, file: string): readonly Program[] {
  const view = viewOf(tensor.dtype)
  return [
    { language: 'TypeScript', text: typescript(tensor, file) },
    { language: 'Python', text: python(tensor, file) },
    { language: 'C++', text: cpp(tensor, file, view) },
    { language: 'Rust', text: rust(tensor, file, view) },
    { language: 'Go', text: go(tensor, file, view) },
    { language: 'Java', text: java(tensor, file, view) },
  ]
}

function viewOf(dtype: DType): View {
  if (dtype === 'float64') return 'f64'
  if (dtype === 'float32') return 'f32'
  if (dtype === 'complex64') return 'c64'
  if (dtype === 'complex128') return 'c128'
  const { bits } = DTYPES[dtype]
  // Of narrow floats the bits; below eight bits, packed bytes.
  const width = Math.max(8, bits) as 8 | 16 | 32 | 64
  return /^int(8|16|32|64)$/.test(dtype) ? `i${width}` : `u${width}`
}

type Of<T> = (kind: 'model' | 'optimizer' | 'extra') => T

function kindOf(state: string): 'model' | 'optimizer' | 'extra' {
  return state === 'model' || state === 'optimizer' ? state : 'extra'
}

function typescript({ state, name }: TensorFacts, file: string): string {
  const of: Of<string> = (kind) =>
    kind === 'model'
      ? '.model'
      : kind === 'optimizer'
        ? '.optimizer!'
        : `.extras.get(${js(state)})!`
  return `import { loadCheckpoint } from 'lightwatch-checkpoint'

const checkpoint = await loadCheckpoint(${js(file)})
const tensor = checkpoint${of(kindOf(state))}.get(${js(name)})
console.log(tensor.shape, tensor.data)`
}

function python({ state, name }: TensorFacts, file: string): string {
  const of: Of<string> = (kind) => (kind === 'extra' ? `.extras[${py(state)}]` : `.${kind}`)
  return `import lightwatch_checkpoint as lw

with lw.load(${py(file)}) as checkpoint:
    tensor = checkpoint${of(kindOf(state))}[${py(name)}]
    print(tensor.shape, tensor)`
}

const CPP: { readonly [view in View]: string } = {
  f64: 'double',
  f32: 'float',
  c64: 'std::complex<float>',
  c128: 'std::complex<double>',
  i8: 'std::int8_t',
  i16: 'std::int16_t',
  i32: 'std::int32_t',
  i64: 'std::int64_t',
  u8: 'std::uint8_t',
  u16: 'std::uint16_t',
  u32: 'std::uint32_t',
  u64: 'std::uint64_t',
}

function cpp({ state, name }: TensorFacts, file: string, view: View): string {
  const of: Of<string> = (kind) =>
    kind === 'extra' ? `.extra(${c(state)}).value()` : `.${kind}_state`
  return `#include <complex>
#include <cstdint>
#include <iostream>
#include <lightwatch/checkpoint.hpp>

int main() {
  const auto checkpoint = lightwatch::load_checkpoint(${c(file)});
  const auto tensor = checkpoint${of(kindOf(state))}.at(${c(name)});
  const lightwatch::Span<const ${CPP[view]}> elements = tensor.as<${CPP[view]}>();
  std::cout << elements.size() << "\\n";
}`
}

function rust({ state, name }: TensorFacts, file: string, view: View): string {
  const type = view === 'c64' ? '[f32; 2]' : view === 'c128' ? '[f64; 2]' : view
  const of: Of<string> = (kind) =>
    kind === 'model'
      ? '.model()'
      : kind === 'optimizer'
        ? '.optimizer().expect("an optimizer")'
        : `.extras().get(${rs(state)}).expect("the state")`
  return `use lightwatch_checkpoint::Checkpoint;

fn main() -> lightwatch_checkpoint::Result<()> {
    let checkpoint = Checkpoint::open(${rs(file)})?;
    let tensor = checkpoint${of(kindOf(state))}.tensor(${rs(name)})?;
    let elements: &[${type}] = tensor.as_slice()?;
    println!("{:?} {}", tensor.shape(), elements.len());
    Ok(())
}`
}

const GO: { readonly [view in View]: string } = {
  f64: 'float64',
  f32: 'float32',
  c64: 'complex64',
  c128: 'complex128',
  i8: 'int8',
  i16: 'int16',
  i32: 'int32',
  i64: 'int64',
  u8: 'uint8',
  u16: 'uint16',
  u32: 'uint32',
  u64: 'uint64',
}

function go({ state, name }: TensorFacts, file: string, view: View): string {
  const find =
    kindOf(state) === 'extra'
      ? `	var state *checkpoint.State
	for _, extra := range c.Extras {
		if extra.Name == ${golang(state)} {
			state = extra
		}
	}
`
      : `	state := c.${state === 'model' ? 'Model' : 'Optimizer'}
`
  return `package main

import (
	"fmt"
	"log"

	checkpoint "github.com/lightwatch/lightwatch-checkpoint/bindings/go"
)

func main() {
	c, err := checkpoint.Open(${golang(file)})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
${find}	elements, err := checkpoint.Slice[${GO[view]}](state.Tensor(${golang(name)}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(elements))
}`
}

function java({ state, name, dtype }: TensorFacts, file: string, view: View): string {
  const of: Of<string> = (kind) =>
    kind === 'model'
      ? '.model()'
      : kind === 'optimizer'
        ? '.optimizer().orElseThrow()'
        : `.extras().get(${jv(state)})`
  const isByte = DTYPES[dtype].bits <= 8
  const [type, method] = isByte
    ? ['ByteBuffer', 'bytes']
    : view === 'f64' || view === 'c128'
      ? ['DoubleBuffer', 'doubles']
      : view === 'f32' || view === 'c64'
        ? ['FloatBuffer', 'floats']
        : view.endsWith('64')
          ? ['LongBuffer', 'longs']
          : view.endsWith('32')
            ? ['IntBuffer', 'ints']
            : ['ShortBuffer', 'shorts']
  return `import java.nio.${type};
import java.nio.file.Path;
import lightwatch.checkpoint.Checkpoint;

class ReadTensor {
  public static void main(String[] arguments) throws Exception {
    try (Checkpoint checkpoint = Checkpoint.open(Path.of(${jv(file)}))) {
      ${type} elements = checkpoint${of(kindOf(state))}.tensor(${jv(name)}).${method}();
      System.out.println(elements.remaining());
    }
  }
}`
}

// What a literal shows as it is: printable ASCII without quotes, backslashes, and what a language interpolates.
const PLAIN = /[ !#%&()*+,\-./0-9:;<=>?@A-Z[\]^_a-z{|}~]/

/** A literal in double quotes, or single ones; `escaped` writes a code point that the literal cannot show. */
function literal(text: string, escaped: (codePoint: number) => string, quote = '"'): string {
  const inner = Array.from(text.toWellFormed(), (char) =>
    PLAIN.test(char) ? char : char === "'" && quote === '"' ? char : escaped(char.codePointAt(0)!),
  )
  return `${quote}${inner.join('')}${quote}`
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')

const js = (text: string): string => literal(text, (code) => `\\u{${hex(code, 1)}}`, "'")
const py = (text: string): string =>
  literal(text, (code) => (code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`))
const rs = (text: string): string => literal(text, (code) => `\\u{${hex(code, 1)}}`)
const golang = py

/** UTF-16 units, as Java's escapes are. The compiler replaces \u before it looks for quotes, so ASCII is in octal. */
const jv = (text: string): string =>
  literal(text, (code) =>
    code < 0x80
      ? `\\${code.toString(8).padStart(3, '0')}`
      : Array.from(
          { length: code > 0xffff ? 2 : 1 },
          (_, i) => `\\u${hex(String.fromCodePoint(code).charCodeAt(i), 4)}`,
        ).join(''),
  )

/** Bytes of UTF-8 in octal: always three digits, so that what follows is not part of them. */
const c = (text: string): string =>
  literal(text, (code) =>
    Array.from(
      new TextEncoder().encode(String.fromCodePoint(code)),
      (byte) => `\\${byte.toString(8).padStart(3, '0')}`,
    ).join(''),
  ).replaceAll('??', '?\\077')
