import test from 'ava'
import { identify, isVersion, VERSIONS } from '../support/crash-model/versions.js'

test('each version is distinguished from the others, and from damage', async (t) => {
  for (const version of VERSIONS) {
    const bytes = await version.bytes
    t.is(await identify(bytes), version.name)
    for (let i = 0; i < bytes.byteLength; i++) {
      const damaged = bytes.slice()
      damaged[i]! ^= 0x80
      const found = await identify(damaged)
      t.false(isVersion(found), `byte ${i}`)
      t.regex(found, /^CKPT_/, `byte ${i}`)
      const cut = await identify(bytes.subarray(0, i))
      t.regex(cut, /^CKPT_/, `cut to ${i} bytes`)
    }
  }
})

test('versions differ in length, and take several blocks', async (t) => {
  const lengths = await Promise.all(VERSIONS.map(async (version) => (await version.bytes).length))
  t.true(new Set(lengths).size > 2)
  t.true(Math.min(...lengths) > 3 * 256)
})
