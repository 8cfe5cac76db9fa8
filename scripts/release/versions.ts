/** The version of every package, which is one; and what else the repository must say at a release. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isReleased, RELEASED, readReleased, SCHEMA } from '../released.js'

/** Where the version is written, and how. Go has none but its tag. */
const PLACES: readonly (readonly [path: string, pattern: RegExp])[] = [
  ['package.json', /^ {2}"version": "(.*?)"/m],
  ['package-lock.json', /^ {2}"version": "(.*?)"/m],
  ['bindings/python/pyproject.toml', /^version = "(.*?)"/m],
  ['bindings/rust/Cargo.toml', /^version = "(.*?)"/m],
  ['bindings/rust/Cargo.lock', /^name = "lightwatch-checkpoint"\nversion = "(.*?)"/m],
  ['bindings/java/pom.xml', /<artifactId>lightwatch-checkpoint<\/artifactId>\s*<version>(.*?)</],
  ['bindings/java/README.md', /<version>(.*?)<\/version>/],
  ['bindings/cpp/CMakeLists.txt', /^project\(\w+ VERSION (\S+)/m],
  ['CHANGELOG.md', /^## (\d\S*)/m],
]

/** The files that state the version, as paths in a project. */
export const STATED_IN: readonly string[] = PLACES.map(([path]) => path)

/** The versions that the project in `folder` states, by path. */
async function statedVersions(folder: string): Promise<Map<string, string | undefined>> {
  const versions = new Map<string, string | undefined>()
  for (const [path, pattern] of PLACES) {
    const text = await readFile(join(folder, path), 'utf8')
    versions.set(path, pattern.exec(text)?.[1])
  }
  return versions
}

/** The one version of all packages of the project in `folder`. Throws an Error that lists them if they differ. */
export async function agreedVersion(folder: string): Promise<string> {
  const versions = await statedVersions(folder)
  const [version] = versions.values()
  if (version === undefined || [...versions.values()].some((other) => other !== version)) {
    const list = [...versions].map(([path, other]) => `  ${path}: ${other ?? 'none'}`)
    throw new Error(`the versions differ:\n${list.join('\n')}`)
  }
  return version
}

/** What is left to do in the project in `folder` before `version` is tagged; one sentence each. */
export async function leftToDo(folder: string, version: string): Promise<string[]> {
  const left: string[] = []
  const schema = await schemaLeft(folder)
  if (schema !== undefined) left.push(schema)
  const changelog = await readFile(join(folder, 'CHANGELOG.md'), 'utf8')
  if (/^## Unreleased$/m.test(changelog)) {
    left.push(`CHANGELOG.md has changes under "Unreleased": head them with the version`)
  }
  if (
    !new RegExp(`^## ${version.replaceAll('.', '\\.')}( \\(\\d{4}-\\d\\d-\\d\\d\\))?$`, 'm').test(
      changelog,
    )
  ) {
    left.push(`CHANGELOG.md has no heading "## ${version}", or "## ${version} (YYYY-MM-DD)"`)
  }
  return left
}

/** After a release nobody could tell which schema it went out with, if that was not kept. */
export async function schemaLeft(folder: string): Promise<string | undefined> {
  const schema = await readFile(join(folder, SCHEMA), 'utf8')
  if (await isReleased(schema, await readReleased(folder))) return undefined
  return `${SCHEMA} is not in ${RELEASED}: copy it there as <version>.fbs, and commit it`
}
