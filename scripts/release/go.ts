/** The module of Go, as the go command takes it from the tag `bindings/go/vVERSION`. */

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expectAll, expectEqual, expectNone, type PackageCheck } from './package-check.js'
import { exampleOf, giveCheckpoint, readmeOf } from './readme.js'

const MODULE = 'github.com/lightwatch/lightwatch-checkpoint/bindings/go'

/** Makes the archive of a module by the rules of the go command. */
const PACKER = `package main

import (
	"os"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	archive, err := os.Create(os.Args[4])
	if err == nil {
		version := module.Version{Path: os.Args[2], Version: os.Args[3]}
		err = zip.CreateFromDir(archive, version, os.Args[1])
	}
	if err != nil {
		panic(err)
	}
}
`

export const go: PackageCheck = {
  name: 'Go',
  needs: ['go', 'git', 'tar', 'python3'],
  steps: [
    {
      title: 'the module is packed from what is committed, with the licence of the repository',
      run: async ({ run, folder, root, version }) => {
        await mkdir(join(folder, 'packer'))
        await mkdir(join(folder, `proxy/${MODULE}/@v`), { recursive: true })
        const cwd = join(folder, 'packer')
        await writeFile(join(cwd, 'main.go'), PACKER)
        await run('go', ['mod', 'init', 'packer'], { cwd })
        await run('go', ['get', 'golang.org/x/mod@v0.17.0'], { cwd })
        const at = join(folder, `proxy/${MODULE}/@v/v${version}`)
        // What is committed; the go command adds the licence of the repository to a module that has none.
        const exported = ['archive', '--output', join(folder, 'module.tar'), 'HEAD:bindings/go']
        await run('git', exported, { cwd: root })
        const source = join(folder, 'module')
        await mkdir(source)
        await run('tar', ['xf', 'module.tar', '-C', source])
        await run('cp', [join(root, 'LICENSE'), source])
        await run('go', ['run', '.', source, MODULE, `v${version}`, `${at}.zip`], { cwd })
        const files = (await run('python3', ['-m', 'zipfile', '-l', `${at}.zip`]))
          .split('\n')
          .map((line) => line.split(' ')[0]!)
        const top = `${MODULE}@v${version}`
        expectAll(files, [`${top}/LICENSE`, `${top}/README.md`, `${top}/go.mod`], 'the module')
        expectNone(files, /\/build\/|\.ckpt$/, 'the module')
      },
    },
    {
      title: 'a program with the example of the README gets it by its path and version, and runs',
      run: async ({ run, folder, root, version }) => {
        const at = join(folder, `proxy/${MODULE}/@v`)
        await run('cp', [join(root, 'bindings/go/go.mod'), join(at, `v${version}.mod`)])
        await writeFile(join(at, 'list'), `v${version}\n`)
        const time = '2026-01-01T00:00:00Z'
        await writeFile(
          join(at, `v${version}.info`),
          JSON.stringify({ Version: `v${version}`, Time: time }),
        )
        const cwd = join(folder, 'user')
        await mkdir(cwd)
        await writeFile(join(cwd, 'main.go'), exampleOf(await readmeOf(root, 'go'), 'go'))
        await giveCheckpoint(root, cwd)
        const others = (await run('go', ['env', 'GOPROXY'])).trim()
        const env = {
          GOPROXY: `${pathToFileURL(join(folder, 'proxy')).href},${others}`,
          // This module is in no database of checksums yet.
          GONOSUMDB: MODULE,
          // So that a later build does not find it: the cache of modules is for good.
          GOMODCACHE: join(folder, 'modules'),
          GOFLAGS: '-modcacherw',
        }
        await run('go', ['mod', 'init', 'user'], { cwd, env })
        await run('go', ['get', `${MODULE}@v${version}`], { cwd, env })
        const printed = await run('go', ['run', '.'], { cwd, env })
        expectEqual(printed, 'epoch 3, step 1000000007: 15 weights\n', 'it prints')
      },
    },
  ],
}
