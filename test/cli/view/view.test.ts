import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { run } from '../../../src/cli/run.js'
import { viewedPlace } from '../../../src/cli/view/places.js'
import { serveView, type ViewServer } from '../../../src/cli/view/server.js'
import { loadCheckpoint, saveCheckpoint } from '../../../src/index.js'
import { fakeTerminal, runFake } from '../../support/cli/fake-terminal.js'
import { serve } from '../../support/http-server.js'
import { scratchFolder } from '../../support/scratch.js'
import { servedWithJobs } from '../../support/viewer/ways.js'

const PAGE = '<meta name="ckpt-files" content=""><title>page</title>'

async function folderOf(t: ExecutionContext): Promise<string> {
  const folder = join(await scratchFolder(t), 'run')
  await mkdir(folder)
  const tensors = { w: { shape: [3], data: Float32Array.of(1, 2, 3) } }
  for (const step of [9, 10]) {
    await saveCheckpoint(join(folder, `step-${step}.ckpt`), { stateDict: () => tensors }, null, {
      step,
    })
  }
  await writeFile(join(folder, 'notes.txt'), 'not for the page')
  await writeFile(join(folder, '..', 'outside.ckpt'), 'not for the page')
  return folder
}

async function started(t: ExecutionContext, location: string): Promise<ViewServer> {
  const server = await serveView(await viewedPlace(location), PAGE)
  t.teardown(() => server.close())
  return server
}

/** The status of a request with headers that fetch would not send. */
function statusOf(url: string, headers: Record<string, string>, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { headers, method }, (response) => {
      response.resume()
      resolve(response.statusCode!)
    })
      .on('error', reject)
      .end()
  })
}

test('the page is told of the files of a folder, in the order of their numbers', async (t) => {
  const { url } = await started(t, await folderOf(t))
  t.regex(url, /^http:\/\/127\.0\.0\.1:\d+\/[\w-]{32}\/$/)
  const page = await fetch(url)
  t.true((await page.text()).includes('content="files.json"'))
  t.true(page.headers.get('content-security-policy')!.includes("connect-src 'self'"))
  const list = (await (await fetch(`${url}files.json`)).json()) as {
    isRun: boolean
    files: { name: string }[]
  }
  t.true(list.isRun)
  t.deepEqual(
    list.files.map(({ name }) => name),
    ['step-9.ckpt', 'step-10.ckpt'],
  )
})

test('the page has the list in it, whatever the files are called', async (t) => {
  const folder = await folderOf(t)
  const name = `"><script>alert(1)<&'$&.ckpt`
  await writeFile(join(folder, name), '')
  const page = '<meta name="ckpt-listed" content="">'
  const server = await serveView(await viewedPlace(folder), page)
  t.teardown(() => server.close())
  const html = await (await fetch(server.url)).text()
  const [, listed] = /^<meta name="ckpt-listed" content="([^"<>]*)">$/.exec(html)!
  const text = listed!.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code))
  t.deepEqual(JSON.parse(text), await (await fetch(`${server.url}files.json`)).json())
  t.true(text.includes('<script>'))
})

test('a folder has the same port each time, another token, and another port while that is taken', async (t) => {
  const folder = await folderOf(t)
  const first = await started(t, folder)
  const second = await started(t, join(folder, 'step-9.ckpt'))
  t.not(new URL(second.url).port, new URL(first.url).port)
  t.is((await fetch(second.url)).status, 200)
  await first.close()
  const again = await started(t, join(folder, 'step-9.ckpt'))
  t.is(new URL(again.url).port, new URL(first.url).port)
  t.not(new URL(again.url).pathname, new URL(first.url).pathname)
  t.is(await statusOf(first.url, {}), 404)
})

test('a file is read by ranges, of one version', async (t) => {
  const folder = await folderOf(t)
  const { url } = await started(t, folder)
  const address = `${url}files/step-9.ckpt`
  const checkpoint = await loadCheckpoint(new URL(address))
  t.is(checkpoint.step, 9)
  t.deepEqual([...(await checkpoint.model.get('w').read())], [1, 2, 3])
  t.is(await statusOf(address, { 'if-match': '"another"' }), 412)
  t.is(await statusOf(address, { range: 'bytes=999999999-9999999999' }), 416)
  // A checkpoint that is saved again is another version.
  const before = (await fetch(address, { method: 'HEAD' })).headers.get('etag')!
  await saveCheckpoint(join(folder, 'step-9.ckpt'), { stateDict: () => ({}) })
  t.is(await statusOf(address, { 'if-match': before }), 412)
  checkpoint.close()
})

test('what was not named is not sent', async (t) => {
  const folder = await folderOf(t)
  const { url } = await started(t, folder)
  const names = ['notes.txt', '..%2Foutside.ckpt', '%2e%2e/outside.ckpt', '%', 'missing.ckpt']
  for (const name of [...names, '..%5Coutside.ckpt', 'step-9.ckpt/x']) {
    t.is(await statusOf(`${url}files/${name}`, {}), 404, name)
  }
  const one = await started(t, join(folder, 'step-9.ckpt'))
  t.is(await statusOf(`${one.url}files/step-9.ckpt`, {}), 200)
  t.is(await statusOf(`${one.url}files/step-10.ckpt`, {}), 404)
})

test('nothing is sent without the token, under another host, to another site, or by another method', async (t) => {
  const { url } = await started(t, await folderOf(t))
  const { origin, host, port } = new URL(url)
  for (const path of ['/', '/files.json', `/${'a'.repeat(32)}/files.json`]) {
    t.is(await statusOf(origin + path, {}), 404, path)
  }
  t.is(await statusOf(url, { host }), 200)
  t.is(await statusOf(url, { host: `localhost:${port}` }), 200)
  t.is(await statusOf(url, { host: `evil.example:${port}` }), 403)
  t.is(await statusOf(url, { 'sec-fetch-site': 'cross-site' }), 403)
  t.is(await statusOf(`${url}files.json`, { 'sec-fetch-site': 'same-site' }), 403)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    t.is(await statusOf(url, {}, method), 405, method)
  }
})

test('a file on a server comes through, in the ranges that are asked for', async (t) => {
  const folder = await folderOf(t)
  const served = await serve(t, await readFile(join(folder, 'step-9.ckpt')))
  const { url } = await started(t, served.url.href)
  const list = (await (await fetch(`${url}files.json`)).json()) as { isLocal: boolean }
  t.false(list.isLocal)
  const checkpoint = await loadCheckpoint(new URL(`${url}files/a.ckpt`))
  await checkpoint.verify()
  t.is(checkpoint.step, 9)
})

test('ckpt view prints its address and ends when its output has no reader; nothing to show is an error', async (t) => {
  const folder = await folderOf(t)
  const gone = new AbortController()
  const terminal = fakeTerminal({ gone: gone.signal })
  const running = run(['view', folder, '--no-open'], terminal)
  const ended = running.then(() => true)
  const isShown = () => terminal.out().includes('Ctrl-C')
  while (!isShown() && !(await Promise.race([ended, setTimeout(5)])));
  gone.abort()
  t.is(await running, 0)
  t.regex(terminal.out(), /: 2 files\nhttp:\/\/127\.0\.0\.1:\d+\/[\w-]{32}\/\nCtrl-C ends it\.\n$/)
  const missing = await runFake(['view', join(folder, 'missing'), '--no-open'])
  t.is(missing.code, 1)
  t.regex(missing.err, /missing: there is no such file or folder/)
  t.is((await runFake(['view'])).code, 2)
  t.is((await runFake(['view', 'a', 'b'])).code, 2)
})

test('a link in the folder leads to where it leads; a broken one is no file', async (t) => {
  const folder = await folderOf(t)
  await symlink(join(folder, 'step-9.ckpt'), join(folder, 'latest.ckpt'))
  await symlink(join(folder, 'nowhere'), join(folder, 'broken.ckpt'))
  const { url } = await started(t, folder)
  t.is(await statusOf(`${url}files/latest.ckpt`, {}), 200)
  t.true((await statusOf(`${url}files/broken.ckpt`, {})) >= 400)
  await rm(join(folder, 'latest.ckpt'))
  t.is(await statusOf(`${url}files/latest.ckpt`, {}), 404)
})

/** The messages that answer a job, as text: what they are, the tests of the viewer know. */
async function answersTo(url: string, job: unknown): Promise<string> {
  const body = typeof job === 'string' ? job : JSON.stringify(job)
  const response = await fetch(`${url}jobs`, { method: 'POST', body })
  return response.text()
}

test('a job is computed for who has the token, by POST alone, and only where there are threads', async (t) => {
  const folder = await folderOf(t)
  const { url } = await servedWithJobs(t, folder)
  t.true((await (await fetch(url)).text()).includes('name="ckpt-jobs" content="jobs"'))
  const { origin, port } = new URL(url)
  t.is(await statusOf(`${url}jobs`, {}), 405)
  t.is(await statusOf(`${url}jobs`, {}, 'PUT'), 405)
  t.is(await statusOf(`${url}jobs/x`, {}, 'POST'), 405)
  t.is(await statusOf(`${url}files/step-9.ckpt`, {}, 'POST'), 405)
  t.is(await statusOf(`${origin}/jobs`, {}, 'POST'), 404)
  t.is(await statusOf(`${origin}/${'a'.repeat(32)}/jobs`, {}, 'POST'), 404)
  t.is(await statusOf(`${url}jobs`, { host: `evil.example:${port}` }, 'POST'), 403)
  t.is(await statusOf(`${url}jobs`, { 'sec-fetch-site': 'cross-site' }, 'POST'), 403)
  const without = await started(t, folder)
  t.is(await statusOf(`${without.url}jobs`, {}, 'POST'), 405)
})

test('the page of a file on a server computes by itself, since its bytes are not on this machine', async (t) => {
  const served = await serve(t, await readFile(join(await folderOf(t), 'step-9.ckpt')))
  const { url } = await servedWithJobs(t, served.url.href)
  t.true((await (await fetch(url)).text()).includes('name="ckpt-jobs" content=""'))
  t.is(await statusOf(`${url}jobs`, {}, 'POST'), 405)
})

test('a job reads no file but those that the page may read, in the version that was listed', async (t) => {
  const folder = await folderOf(t)
  const { url } = await servedWithJobs(t, folder)
  const facts = (from: unknown, version?: string) =>
    answersTo(url, { kind: 'facts', files: [{ id: 'a', name: 'a', from, version }] })
  const list = (await (await fetch(`${url}files.json`)).json()) as {
    files: { name: string; version: string }[]
  }
  const address = `${url}files/step-9.ckpt`
  t.regex(await facts(address, list.files[0]!.version), /"step":9.*\n\{"end":true\}\n$/s)
  t.regex(await facts(address, 'another'), /CKPT_FILE_CHANGED/)
  const others = [
    ...['notes.txt', '..%2Foutside.ckpt', '%2e%2e%2foutside.ckpt', '%', 'missing.ckpt'].map(
      (name) => `${url}files/${name}`,
    ),
    ...['file:///etc/passwd', join(folder, 'step-9.ckpt'), `${url}files.json`, '', null, {}],
  ]
  for (const from of others) t.regex(await facts(from), /CKPT_READ/, String(from))
})

test('what is no job is answered with an error, and the next job is carried out', async (t) => {
  const { url } = await servedWithJobs(t, await folderOf(t))
  for (const job of ['', 'null', '[]', '{}', '{"kind":"facts"}', '{"$":"Uint8Array"}', '{']) {
    t.regex(await answersTo(url, job), /^\{("end":true,)?"error".*"end":true|^\{"end":true/, job)
  }
  const files = [{ id: 'a', name: 'a', from: `${url}files/step-9.ckpt` }]
  t.regex(await answersTo(url, { kind: 'facts', files }), /"step":9/)
})

test('a job that is longer than any page sends is refused, in an answer that reaches its sender', async (t) => {
  const { url } = await servedWithJobs(t, await folderOf(t))
  const body = new Blob(Array.from({ length: 130 }, () => 'a'.repeat(2 ** 20)))
  t.is((await fetch(`${url}jobs`, { method: 'POST', body })).status, 413)
  const files = [{ id: 'a', name: 'a', from: `${url}files/step-9.ckpt` }]
  t.regex(await answersTo(url, { kind: 'facts', files }), /"step":9/)
})
