/**
 * A real S3 server on this machine: versitygw, which serves a folder. It is built once, by Go, into node_modules. Tests,
 * the benchmark and `npm start -- --store s3` use it.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const VERSION = 'v1.8.0'
const PACKAGE = 'github.com/versity/versitygw/cmd/versitygw'

const cache = fileURLToPath(new URL('../node_modules/.cache/', import.meta.url))
const program = join(cache, `versitygw-${VERSION}`)

const POLL_MS = 20
const START_MS = 20_000

/** A server with one account. Everything that it holds is lost when it stops. */
export interface S3Server {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** What the AWS SDK and its tools take from the environment. */
  readonly environment: { readonly [name: string]: string }
  /** Ends the process and removes its folder. */
  stop(): Promise<void>
}

/** Whether the server is built, or can be. */
export function hasS3Server(): boolean {
  if (existsSync(program)) return true
  // From 1.21 on, Go gets a later version of itself where a program needs one.
  const version = spawnSync('go', ['version'], { encoding: 'utf8' }).stdout
  return Number(/go1\.(\d+)/.exec(version ?? '')?.[1] ?? 0) >= 21
}

/** Builds the server, if it is not built. It takes Go two minutes. Throws an Error with Go's last lines. */
export function buildS3Server(): void {
  if (existsSync(program)) return
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'versitygw-'))
  try {
    const { status, error, stderr } = spawnSync('go', ['install', `${PACKAGE}@${VERSION}`], {
      env: { ...process.env, GOBIN: folder, GOFLAGS: '-ldflags=-s' },
      encoding: 'utf8',
    })
    if (status !== 0) {
      const reason = error?.message ?? stderr.trim().split('\n').slice(-5).join('\n')
      throw new Error(`versitygw could not be built, which takes Go 1.24: ${reason}`)
    }
    // Other processes may build it, too.
    renameSync(join(folder, 'versitygw'), program)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Starts a server, with a folder of its own below `parent`. It ends with this process at the latest. */
export async function startS3Server(parent = tmpdir()): Promise<S3Server> {
  buildS3Server()
  const folder = mkdtempSync(join(parent, 'lightwatch-s3-'))
  const roots = [join(folder, 'buckets'), join(folder, 'metadata')] as const
  for (const root of roots) mkdirSync(root)
  const account = { accessKeyId: 'lightwatch', secretAccessKey: 'of-the-tests' }
  const port = await freePort()
  const address = `127.0.0.1:${port}`
  const flags = ['--access', account.accessKeyId, '--secret', account.secretAccessKey]
  const args = [...flags, '--port', address, '--keep-alive', '--quiet', 'posix']
  const child = spawn(program, [...args, '--sidecar', roots[1], roots[0]], { stdio: 'ignore' })
  const end = (): void => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', end)
  // This process may end while the server runs.
  child.unref()
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  try {
    await answers(`http://${address}`, child)
  } catch (error) {
    end()
    throw error
  }
  const region = 'us-east-1'
  const endpoint = `http://${address}`
  return {
    endpoint,
    region,
    ...account,
    environment: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: account.accessKeyId,
      AWS_SECRET_ACCESS_KEY: account.secretAccessKey,
    },
    async stop() {
      process.off('exit', end)
      child.ref()
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  for (const until = Date.now() + START_MS; ; await sleep(POLL_MS)) {
    const answer = await fetch(url).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer !== undefined) return
    if (child.exitCode !== null || Date.now() > until) {
      throw new Error(`versitygw did not start (exit code ${child.exitCode})`)
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}
