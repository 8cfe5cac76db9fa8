import { truncateSync } from 'node:fs'
import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { saveCheckpoint } from '../../src/index.js'
import { runFake } from '../support/cli/fake-terminal.js'
import { damage, saveNames, saveSample, stateful } from '../support/cli/sample-checkpoint.js'
import { serve } from '../support/http-server.js'
import { scratchFolder } from '../support/scratch.js'

/** A clock that goes on by so many milliseconds whenever somebody looks at it. */
const ticking = (step: number) => {
  let now = 0
  return () => {
    now += step
    return now
  }
}

test('a valid file is one line: ok, its size, and the speed of reading', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveSample(file)
  t.deepEqual(await runFake(['verify', file], { now: ticking(250) }), {
    code: 0,
    // Looked at twice for the bar and its start, and twice for the check itself.
    out: `${file}: ok, 6.3 KiB, 8 tensors, 0.3 s, 25.0 KiB/s\n`,
    err: '',
  })
})

test('a file on a server is inspected and verified by its address', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveSample(file)
  const served = await serve(t, await readFile(file))
  const inspected = await runFake(['inspect', served.url.href])
  t.is(inspected.code, 0)
  t.is(inspected.out, (await runFake(['inspect', file])).out.replace(file, served.url.href))
  t.regex((await runFake(['verify', served.url.href])).out, /: ok, 6\.3 KiB, 8 tensors/)
  served.fault = () => ({ status: 404 })
  const { code, err, out } = await runFake(['verify', served.url.href])
  t.is(code, 1)
  t.regex(err + out, /404/)
})

test('every damaged tensor is listed, with those tied to it', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveSample(file)
  await damage(file, 'model', 'wte.weight', 5)
  await damage(file, 'optimizer', 'exp_avg/wte.weight', 2047)
  // The last byte of the length that stands before the tensor.
  await damage(file, 'model', 'seen', -1)
  const { code, out, err } = await runFake(['verify', file])
  t.is(code, 1)
  t.is(err, '')
  t.is(
    out.replace(/(expected|found) [0-9a-f]{8}/g, '$1 XXXXXXXX'),
    `${file}: damaged: 5 of 8 tensors, 6.3 KiB; the other tensors are valid
  model: wte.weight = lm_head.weight = wte.weight of ema, 2.0 KiB, at byte 1920: checksum mismatch, expected XXXXXXXX, found XXXXXXXX
  model: seen, 8 B, byte 4095, before it: expected 0, found 255
  optimizer: exp_avg/wte.weight, 2.0 KiB, at byte 4224: checksum mismatch, expected XXXXXXXX, found XXXXXXXX
`,
  )
})

test('damage to any single byte is found', async (t) => {
  const folder = await scratchFolder(t)
  const good = join(folder, 'good.ckpt')
  await saveSample(good)
  const bytes = await readFile(good)
  const bad = join(folder, 'bad.ckpt')
  for (let i = 0; i < bytes.length; i += 37) {
    const copy = Uint8Array.from(bytes)
    copy[i]! ^= 0x10
    await writeFile(bad, copy)
    const { code, out } = await runFake(['verify', bad])
    t.is(code, 1, `byte ${i}: ${out}`)
  }
})

test('each of several files gets its verdict, and one bad file is enough for exit code 1', async (t) => {
  const folder = await scratchFolder(t)
  const [a, b, c, text, missing] = ['a', 'b', 'c', 'text', 'missing'].map((name) =>
    join(folder, `${name}.ckpt`),
  ) as [string, string, string, string, string]
  for (const file of [a, b, c]) await saveSample(file)
  await truncate(b, 6000)
  await appendFile(c, 'x')
  await writeFile(text, 'PK\u0003\u0004 and so on')
  const { code, out, err } = await runFake(['verify', a, b, c, text, missing, folder, a])
  t.is(code, 1)
  t.is(err, 'ckpt: 5 of 7 files failed verification\n')
  const ok = `${a}: ok, 6.3 KiB, 8 tensors, 0.0 s`
  const lines = out.split('\n')
  t.deepEqual([lines[0], ...lines.slice(6)], [ok, ok, ''])
  for (const [i, start, words] of [
    [1, `${b}: damaged: `, /expected 6400 bytes.*found 6000/],
    [2, `${c}: damaged: `, /expected 6400 bytes.*found 6401/],
    [3, `${text}: `, /zip/],
    [4, `${missing}: `, /ENOENT/],
    [5, `${folder}: `, /folder/],
  ] as const) {
    t.true(lines[i]!.startsWith(start), lines[i])
    t.regex(lines[i]!.slice(start.length), words)
  }
})

test('--json prints one object, with every fault', async (t) => {
  const folder = await scratchFolder(t)
  const [good, bad, cut, missing] = ['good', 'bad', 'cut', 'missing'].map((name) =>
    join(folder, `${name}.ckpt`),
  ) as [string, string, string, string]
  for (const file of [good, bad, cut]) await saveSample(file)
  await damage(bad, 'model', 'wte.weight')
  await truncate(cut, 6000)
  const { code, out, err } = await runFake(['verify', '--json', good, bad, cut, missing])
  t.is(code, 1)
  t.is(err, '')
  const { sound, files } = JSON.parse(out)
  t.false(sound)
  t.deepEqual(files[0], {
    file: good,
    verdict: 'ok',
    byteLength: 6400,
    tensors: 8,
    seconds: 0,
    faults: [],
  })
  const [{ message, actual, ...fault }, ...others] = files[1].faults
  t.is(files[1].verdict, 'damaged')
  t.is(others.length, 0)
  t.regex(message, /wte\.weight/)
  t.is(typeof actual, 'number')
  t.deepEqual(fault, {
    code: 'CKPT_TENSOR_CHECKSUM',
    state: 'model',
    tensor: 'wte.weight',
    byteLength: 2048,
    sameAs: [
      { state: 'model', tensor: 'lm_head.weight' },
      { state: 'ema', tensor: 'wte.weight' },
    ],
    offset: 1920,
    expected: 3602942599,
  })
  const [{ message: reason, ...cutShort }] = files[2].faults
  t.deepEqual(
    { ...files[2], faults: [cutShort] },
    {
      file: cut,
      verdict: 'damaged',
      byteLength: null,
      tensors: null,
      seconds: 0,
      faults: [{ code: 'CKPT_FILE_LENGTH', expected: 6400, actual: 6000 }],
    },
  )
  t.regex(reason, /6000/)
  t.is(files[3].verdict, 'unreadable')
  t.is(files[3].faults[0].code, 'CKPT_READ')

  const alone = await runFake(['verify', '--json', good])
  t.is(alone.code, 0)
  t.true(JSON.parse(alone.out).sound)
})

test('no name of a damaged tensor can steer a terminal', async (t) => {
  const folder = await scratchFolder(t)
  const file = join(folder, 'a.ckpt')
  const name = 'a\u001b[2J\u202e'
  const tensors = { [name]: { shape: [2], data: new Uint8Array(2) } }
  await saveCheckpoint(file, stateful({}), null, { extras: { [name]: stateful(tensors) } })
  await damage(file, name, name)
  for (const flags of [[], ['--json']]) {
    const { out } = await runFake(['verify', ...flags, file, `${file}\u001b[31m`])
    t.notRegex(out, /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u)
  }
})

test('a terminal shows the progress of a long verification, which leaves no trace', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveSample(file)
  const { out, err } = await runFake(['verify', file], {
    now: ticking(400),
    columns: 150,
    env: { TERM: 'xterm' },
  })
  t.true(out.startsWith(`${file}: ok`))
  const drawings = err.split('\r\u001b[K')
  t.is(drawings.shift(), '')
  t.is(drawings.pop(), '')
  t.true(drawings.length > 1)
  for (const drawing of drawings) {
    t.regex(drawing, /a\.ckpt \[#*-*\] \d+ % of 4\.1 KiB, [\d.]+ \w+\/s, [\d.]+ s left$/)
  }
})

test('no bar is drawn for a short verification, for a file, or for a dumb terminal', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveSample(file)
  for (const options of [
    { columns: 80 },
    { now: ticking(400) },
    { now: ticking(400), columns: 80, env: { TERM: 'dumb' } },
  ]) {
    t.is((await runFake(['verify', file], options)).err, '')
  }
})

test('a file that cannot be read to its end is not valid, and earlier findings are kept', async (t) => {
  const folder = await scratchFolder(t)
  const whole = join(folder, 'whole.ckpt')
  const bad = join(folder, 'bad.ckpt')
  await saveSample(whole)
  await saveSample(bad)
  await damage(bad, 'model', 'wte.weight')
  // The third look at the clock is the bar's, after the first tensor was read.
  const truncating = (file: string) => {
    let looks = 0
    return () => {
      if (++looks === 3) truncateSync(file, 4040)
      return 0
    }
  }
  // So short a file has been read in one go by then; that it is another one is seen at the end.
  const lost = /^ {2}the verification was not finished: .*changed/
  const {
    code,
    out: unread,
    err,
  } = await runFake(['verify', whole], {
    now: truncating(whole),
    columns: 80,
  })
  t.is(code, 1)
  t.is(err, '')
  const [unreadable, why] = unread.split('\n')
  t.is(unreadable, `${whole}: unreadable, 8 tensors, 6.3 KiB`)
  t.regex(why!, lost)
  const { out } = await runFake(['verify', bad], { now: truncating(bad), columns: 80 })
  const [verdict, fault, end] = out.split('\n')
  t.is(verdict, `${bad}: damaged: 3 of 8 tensors, 6.3 KiB`)
  t.regex(fault!, /^ {2}model: wte\.weight = lm_head\.weight = wte\.weight of ema, /)
  t.regex(end!, lost)
})

test('when the reader exits, the verification ends, without claiming success', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveSample(file)
  const { code, out, err } = await runFake(['verify', file, file], { gone: AbortSignal.abort() })
  t.deepEqual({ code, out, err }, { code: 1, out: '', err: '' })
})

test('a file of very many tensors, all damaged, is verified quickly', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  const names = Array.from({ length: 5000 }, (_, i) => `t${i}`)
  await saveNames(file, names)
  const bytes = await readFile(file)
  const { metadataLength } = JSON.parse((await runFake(['inspect', '--json', file])).out)
  bytes.fill(0xff, metadataLength)
  await writeFile(file, bytes)
  const { code, out } = await runFake(['verify', file])
  t.is(code, 1)
  t.is(out.trimEnd().split('\n').length, 5001)
  t.true(out.startsWith(`${file}: damaged: 5,000 of 5,000 tensors`))
})
