/**
 * Stryker's test runner for this project. It imports the test files of a group once. For each mutant it runs the tests
 * that reach it, in one process. Starting AVA for each mutant would take twenty times as long.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { register } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { declareFactoryPlugin, PluginKind } from '@stryker-mutator/api/plugin'
import {
  DryRunStatus,
  determineHitLimitReached,
  TestStatus,
  toMutantRunResult,
} from '@stryker-mutator/api/test-runner'
import { collected, runTest } from './mutation-ava.mjs'
import { groups } from './mutation-groups.mjs'

const group = groups[process.env.MUTATION_GROUP]

const standIn = new URL('mutation-ava.mjs', import.meta.url).href
const hooks = `export const resolve = (specifier, context, next) =>
  specifier === 'ava' ? { url: '${standIn}', shortCircuit: true } : next(specifier, context)`

globalThis.__stryker__ ??= {}

/** The duration of each test, for later processes; in the sandbox. */
const TIMES = 'mutation-times.json'

class Runner {
  #stryker = globalThis.__stryker__
  #stray

  // A module is loaded once, so mutants in load-time code get a process of their own.
  capabilities() {
    return { reloadEnvironment: false }
  }

  async init() {
    register(`data:text/javascript,${encodeURIComponent(hooks)}`)
    process.on('unhandledRejection', (error) => {
      this.#stray ??= { error }
    })
  }

  async dryRun() {
    await this.#load()
    const result = await this.#run(collected.tests, true)
    const times = result.tests.map(({ id, timeSpentMs }) => [id, timeSpentMs])
    writeFileSync(TIMES, JSON.stringify(Object.fromEntries(times)))
    sort(Object.fromEntries(times))
    return { ...result, mutantCoverage: this.#stryker.mutantCoverage }
  }

  async mutantRun({ activeMutant, testFilter, hitLimit, mutantActivation, disableBail }) {
    const stryker = this.#stryker
    stryker.hitCount = hitLimit === undefined ? undefined : 0
    stryker.hitLimit = hitLimit
    stryker.activeMutant = mutantActivation === 'static' ? activeMutant.id : undefined
    let result
    try {
      await this.#load()
    } catch (error) {
      const test = { id: 'load', name: 'the test files are imported', timeSpentMs: 0 }
      const failed = { ...test, status: TestStatus.Failed, failureMessage: String(error) }
      result = { status: DryRunStatus.Complete, tests: [failed] }
    }
    stryker.activeMutant = activeMutant.id
    // Only the first test that needs it reaches state that is kept for the rest of a process.
    const all = testFilter === undefined || group.runs === 1
    const tests = collected.tests.filter(({ id }) => all || testFilter.includes(id))
    result ??= await this.#run(tests, disableBail)
    stryker.activeMutant = undefined
    return toMutantRunResult(determineHitLimitReached(stryker.hitCount, hitLimit) ?? result)
  }

  async #load() {
    if (collected.file !== '') return
    const { tests, without = [] } = group
    for (const file of tests) {
      collected.file = file
      await import(pathToFileURL(resolve(file)).href)
    }
    collected.tests = collected.tests.filter(({ title }) => !without.includes(title))
    if (existsSync(TIMES)) sort(JSON.parse(readFileSync(TIMES, 'utf8')))
  }

  async #run(tests, all) {
    const results = []
    for (const test of tests) {
      const start = performance.now()
      const result = { id: test.id, name: test.id, status: TestStatus.Success }
      this.#stryker.currentTestId = test.id
      this.#stray = undefined
      try {
        await runTest(test)
        if (this.#stray !== undefined) throw this.#stray.error
      } catch (error) {
        result.status = TestStatus.Failed
        result.failureMessage = String(error?.stack ?? error)
      }
      results.push({ ...result, timeSpentMs: performance.now() - start })
      if (result.status === TestStatus.Failed && !all) break
    }
    this.#stryker.currentTestId = undefined
    return { status: DryRunStatus.Complete, tests: results }
  }
}

/** The fastest tests first: most mutants need no others. */
function sort(times) {
  collected.tests.sort((a, b) => times[a.id] - times[b.id])
}

function createRunner() {
  return new Runner()
}
createRunner.inject = []

export const strykerPlugins = [
  declareFactoryPlugin(PluginKind.TestRunner, 'in-process', createRunner),
]
