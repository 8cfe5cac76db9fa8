import test, { type ExecutionContext } from 'ava'
import { JobThreads } from '../../../src/cli/view/job-threads.js'

/** Threads that do what a job's text says. */
const SCRIPT = `
  import { parentPort, threadId, workerData } from 'node:worker_threads'
  const running = new Set()
  parentPort.on('message', ({ id, text, cancel }) => {
    const answer = (text, isEnd) => parentPort.postMessage({ id, text, isEnd })
    if (cancel) answer('cancelled', true)
    else if (text === 'die') process.exit(3)
    else if (text === 'throw') throw new Error('out of memory')
    else if (text === 'place') answer(JSON.stringify(workerData), true)
    else if (text === 'wait') answer('waits', false)
    else { answer('a', false); answer(String(threadId), true) }
  })`

function threads(t: ExecutionContext): JobThreads {
  const jobs = new JobThreads(
    new URL(`data:text/javascript,${encodeURIComponent(SCRIPT)}`),
    'runs/mine',
  )
  t.teardown(() => jobs.close())
  return jobs
}

async function run(jobs: JobThreads, job: string): Promise<string[]> {
  const texts: string[] = []
  await jobs.run(job, (text) => texts.push(text), new AbortController().signal)
  return texts
}

test('a job is answered piece by piece, by a thread that knows the location, and reads ahead if it has no job', async (t) => {
  for (const readsAhead of [false, true]) {
    const jobs = threads(t)
    if (readsAhead) jobs.warm()
    t.deepEqual(await run(jobs, 'place'), [JSON.stringify({ location: 'runs/mine', readsAhead })])
  }
  const jobs = threads(t)
  t.is((await run(jobs, 'work'))[0], 'a')
})

test('a thread that ends or fails takes its jobs with it, and the next job has another thread', async (t) => {
  const jobs = threads(t)
  const [, first] = await run(jobs, 'work')
  await t.throwsAsync(run(jobs, 'die'), { message: 'the thread has ended' })
  const [, second] = await run(jobs, 'work')
  t.not(second, first)
  await t.throwsAsync(run(jobs, 'throw'), { message: 'the thread has failed: out of memory' })
  t.is((await run(jobs, 'work'))[0], 'a')
})

test('a job whose reader leaves is cancelled in its thread, and one whose reader has left is not begun', async (t) => {
  const jobs = threads(t)
  const left = new AbortController()
  const texts: string[] = []
  await jobs.run(
    'wait',
    (text) => {
      texts.push(text)
      left.abort(new Error('the reader has left'))
    },
    left.signal,
  )
  t.deepEqual(texts, ['waits', 'cancelled'])
  await t.throwsAsync(
    jobs.run('work', () => t.fail(), left.signal),
    { message: 'the reader has left' },
  )
})

test('jobs that have to wait are shared by few threads, and all are answered', async (t) => {
  const jobs = threads(t)
  const answers = await Promise.all(Array.from({ length: 50 }, () => run(jobs, 'work')))
  t.is(answers.length, 50)
  t.true(new Set(answers.map(([, thread]) => thread)).size <= 4)
})
