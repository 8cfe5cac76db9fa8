import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { FileSink } from '../../../src/io/file/file-sink.js'
import type { FileSystem } from '../../../src/io/file/file-system.js'
import { libc } from '../../../src/io/file/libc.js'
import { nodeFileSystem } from '../../../src/io/file/node-file-system.js'
import { systemError } from '../../support/io/observed-file-system.js'
import { requires } from '../../support/requires.js'
import { scratchFolder } from '../../support/scratch.js'

const NEW = Buffer.from('the new bytes')

async function commit(path: string, fileSystem: Partial<FileSystem> = {}): Promise<void> {
  const sink = new FileSink(path, { fileSystem: { ...nodeFileSystem, ...fileSystem } })
  await sink.begin(NEW.byteLength)
  await sink.write(NEW, 0)
  await sink.sync()
  await sink.commit()
}

const modeOf = async (path: string) => (await fs.stat(path)).mode & 0o7777

const ACCESS = 'system.posix_acl_access'
const DEFAULT = 'system.posix_acl_default'

/** An access list: `user::rw-`, a user of that number, the group, the mask, others; rights as in a mode. */
function accessList({ user = 6, named = 6, group = 0, mask = 6, others = 0 } = {}): Buffer {
  const entries = [
    [1, user],
    [2, named, 5000],
    [4, group],
    [16, mask],
    [32, others],
  ] as const
  const bytes = Buffer.alloc(4 + 8 * entries.length)
  bytes.writeUInt32LE(2)
  for (const [i, [tag, rights, id = 0xffff_ffff]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + 8 * i)
    bytes.writeUInt16LE(rights, 6 + 8 * i)
    bytes.writeUInt32LE(id, 8 + 8 * i)
  }
  return bytes
}

/** Sets attributes of what is at a path. */
async function setAttributes(path: string, values: Record<string, Uint8Array>): Promise<void> {
  const { attributes } = await libc()
  const file = await fs.open(path)
  for (const [name, value] of Object.entries(values)) {
    if (!attributes!.set(file.fd, name, value)) throw new Error(`${name} cannot be set`)
  }
  await file.close()
}

async function attributesOf(path: string): Promise<Record<string, string>> {
  const { attributes } = await libc()
  const names = attributes!.list(path)!.filter((name) => !name.startsWith('security.'))
  return Object.fromEntries(
    names.sort().map((name) => [name, Buffer.from(attributes!.get(path, name)!).toString('hex')]),
  )
}

const withKoffi = requires(test, 'linux', 'package:koffi')
const asRoot = requires(test, 'linux', 'root')

withKoffi('the access list and the attributes of the file that is replaced are kept', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  await fs.writeFile(path, 'old')
  const values = {
    [ACCESS]: accessList(),
    'user.note': Buffer.from('keep me'),
    'user.empty': Buffer.alloc(0),
  }
  await setAttributes(path, values)
  const before = await attributesOf(path)
  const mode = await modeOf(path)
  t.is(Object.keys(before).length, 3)
  t.is(mode, 0o660)
  await commit(path)
  t.deepEqual(await fs.readFile(path), NEW)
  t.deepEqual(await attributesOf(path), before)
  t.is(await modeOf(path), mode)
})

withKoffi('a file without an access list does not get the one that its folder gives', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  await fs.writeFile(path, 'old')
  await fs.chmod(path, 0o640)
  await setAttributes(folder, { [DEFAULT]: accessList() })
  await commit(path)
  t.deepEqual(await attributesOf(path), {})
  t.is(await modeOf(path), 0o640)
  // A new file gets it, as every new file there does.
  await commit(join(folder, 'b.ckpt'))
  t.deepEqual(Object.keys(await attributesOf(join(folder, 'b.ckpt'))), [ACCESS])
})

test('where the access list is lost, the owner alone has access', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  await fs.writeFile(path, 'old')
  await fs.chmod(path, 0o664)
  await commit(path, { copyAttributes: async () => 'lost' })
  t.is(await modeOf(path), 0o600)
})

test('where it is unknown whether there is one, the group has no more access than all others', async (t) => {
  for (const [mode, left] of [
    [0o664, 0o644],
    [0o640, 0o600],
    [0o755, 0o755],
    [0o600, 0o600],
  ] as const) {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await fs.writeFile(path, 'old')
    await fs.chmod(path, mode)
    await commit(path, { copyAttributes: async () => 'unknown' })
    t.is(await modeOf(path), left)
  }
})

asRoot('a group that may be kept is, where the owner may not', async (t) => {
  const own = process.getuid!()
  const refuseOwner: FileSystem['fchown'] = async (file, uid, gid) => {
    if (uid !== own) throw systemError('EPERM', 'fchown')
    await nodeFileSystem.fchown(file, uid, gid)
  }
  const path = join(await scratchFolder(t), 'a.ckpt')
  await fs.writeFile(path, 'old')
  await fs.chown(path, 12_345, 23_456)
  await fs.chmod(path, 0o6660)
  await commit(path, { fchown: refuseOwner })
  const { uid, gid } = await fs.stat(path)
  t.deepEqual([uid, gid], [own, 23_456])
  // It does not run as somebody that its owner was not.
  t.is(await modeOf(path), 0o2660)
})

asRoot('a file of another owner and group keeps nothing that is theirs', async (t) => {
  const refuse = async () => {
    throw systemError('EPERM', 'fchown')
  }
  const path = join(await scratchFolder(t), 'a.ckpt')
  await fs.writeFile(path, 'old')
  await fs.chown(path, 12_345, 23_456)
  await fs.chmod(path, 0o6664)
  await commit(path, { fchown: refuse })
  t.is(await modeOf(path), 0o604)
})

const program = fileURLToPath(new URL('../../support/children/save-and-stop.mjs', import.meta.url))
const hidden = fileURLToPath(new URL('../../support/children/without-koffi.mjs', import.meta.url))

withKoffi(
  'without koffi a child keeps the access list, and without that the file is not wider',
  async (t) => {
    for (const PATH of [process.env.PATH, '']) {
      const folder = await scratchFolder(t)
      const path = join(folder, 'a.ckpt')
      await fs.writeFile(path, 'old')
      await setAttributes(path, { [ACCESS]: accessList() })
      const before = await attributesOf(path)
      const { stdout } = spawnSync(
        process.execPath,
        ['--import', hidden, program, 'saves', folder, 'a.ckpt'],
        { encoding: 'utf8', env: { ...process.env, PATH } },
      )
      t.is(stdout.trim(), 'durable')
      if (PATH === '') {
        t.deepEqual(await attributesOf(path), {})
        t.is(await modeOf(path), 0o600)
      } else {
        t.deepEqual(await attributesOf(path), before)
        t.is(await modeOf(path), 0o660)
      }
    }
  },
)
