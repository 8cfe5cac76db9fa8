/**
 * Rehearses a save, then repeats it with one fault at one of its calls each time, and examines the folder after each.
 * The calls are recorded in each run, so that none is missed when the library changes.
 */

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { inParallel } from './in-parallel.js'
import { outcomeFaults, promiseOf } from './promise.js'
import { type Play, rehearse, withSaver } from './rehearsal.js'
import { type Expected, makeScene } from './scene.js'
import { type Call, describeCall } from './trace.js'
import { type Fault, inject } from './tracer.js'

/** A fault at one call of a save. */
interface Point {
  readonly call: Call
  readonly fault: Fault
}

export interface Sweep extends Play {
  /** A call that always fails; the faults then hit the calls after it. */
  readonly after?: { readonly call: (call: Call) => boolean; readonly error: string }
}

export interface Findings {
  readonly tried: number
  readonly violations: readonly string[]
}

/** Tries every fault that `faultsAt` names for each call of a save. */
export async function sweep(
  { after, ...play }: Sweep,
  faultsAt: (call: Call) => readonly Fault[],
): Promise<Findings> {
  const calls = await rehearse(play)
  let first: Point | undefined
  let reached = calls
  if (after !== undefined) {
    const call = calls.findLast(after.call)
    if (call === undefined) throw new Error('the save makes no such call')
    first = { call, fault: { kind: 'error', error: after.error } }
    const withFault = await rehearse(play, [first])
    reached = withFault.slice(withFault.findIndex((other) => isSame(other, call)) + 1)
  }
  const points = reached.flatMap((call) => faultsAt(call).map((fault) => ({ call, fault })))
  const violations = await inParallel(points, async (point, i) => {
    const whenKilled = expectedAt(first?.call ?? point.call, calls)
    const faults = await tryPoint(play, String(i), first, point, whenKilled)
    const where = first === undefined ? '' : `${describePoint(first)}, then `
    return faults.map((fault) => `${play.scene}, ${where}${describePoint(point)}: ${fault}`)
  })
  return { tried: points.length, violations: violations.flat() }
}

/** The required content of the path if the save reaches that call, which does not happen. */
export function expectedAt(call: Call, calls: readonly Call[]): Expected {
  const commit = calls.findIndex(({ name }) => name.startsWith('rename'))
  if (commit === -1) return 'old or new'
  return calls.indexOf(call) > commit ? 'new' : 'old'
}

async function tryPoint(
  { folder, scene: name, ...how }: Play,
  title: string,
  first: Point | undefined,
  point: Point,
  whenKilled: Expected,
): Promise<string[]> {
  const place = join(folder, title)
  const scene = await makeScene(name, place)
  const points = first === undefined ? [point] : [first, point]
  const { signal, outcome, injected } = await withSaver(scene, how, async (saver) => {
    const injector = await inject(saver, points, join(place, 'trace'))
    saver.begin()
    return { ...(await saver.ended), injected: await injector.injected() }
  })
  if (injected !== points.length) {
    throw new Error(`${injected} faults were injected, and not ${describePoint(point)}`)
  }
  const { call, fault } = point
  const faults: string[] = []
  if (fault.kind === 'kill') {
    if (signal !== 'SIGKILL') throw new Error(`it was to be ${describePoint(point)}, and was not`)
    faults.push(...(await scene.faults(whenKilled, { mayBeLeft: true })))
  } else if (fault.kind === 'lie') {
    // The disk says that it has what it has not. Either the save notices, or the load has to.
    // (New it is where what did not arrive was zeros, as was what was there.)
    const believed = outcome?.durability !== undefined
    if (!believed) faults.push(...outcomeFaults(outcome, 'not committed'))
    faults.push(...(await scene.faults(believed ? 'new or damaged' : 'old')))
  } else if (fault.kind === 'error') {
    // Of two errors, the first is what the save has to tell.
    const told = first?.fault.kind === 'error' ? first.fault.error : fault.error
    const promised = promiseOf((first ?? point).call, told, whenKilled === 'new')
    faults.push(...outcomeFaults(outcome, promised, told))
    const circumstances = {
      // It cannot be helped.
      mayBeLeft: first !== undefined && call.name.startsWith('unlink'),
      ownerKept: call.name !== 'fchown',
    }
    faults.push(
      ...(await scene.faults(promised === 'not committed' ? 'old' : 'new', circumstances)),
    )
  }
  faults.push(...(await scene.faultsOfNextSave()))
  await rm(place, { recursive: true })
  return faults
}

function isSame(one: Call, other: Call): boolean {
  return one.thread === other.thread && one.name === other.name && one.ordinal === other.ordinal
}

function describePoint({ call, fault }: Point): string {
  return `${describeFault(fault)} at ${describeCall(call)}`
}

function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
      return 'killed'
    case 'error':
      return fault.error
    case 'lie':
      return `a false ${fault.returns}`
    case 'delay':
      return `late by ${fault.milliseconds} ms`
  }
}
