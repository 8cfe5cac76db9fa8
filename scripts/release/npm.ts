/** The package of npm: the TypeScript library. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expectEqual, type PackageCheck } from './package-check.js'

export const npm: PackageCheck = {
  name: 'npm',
  needs: ['node', 'npm'],
  steps: [
    {
      title: 'the library builds',
      run: async ({ run, root }) => {
        await run('npm', ['run', 'build'], { cwd: root })
      },
    },
    {
      title: 'npm publish --dry-run takes it',
      run: async ({ run, root, version }) => {
        // Its scripts have been run: prepack builds, prepublishOnly looks at what is left to do.
        const args = ['publish', '--dry-run', '--json', '--ignore-scripts', '--access', 'public']
        const printed = JSON.parse(await run('npm', args, { cwd: root }))
        const report = printed['lightwatch-checkpoint'] ?? printed
        expectEqual(report.id, `lightwatch-checkpoint@${version}`, 'the package')
      },
    },
    {
      title: 'it can carry a provenance statement: its repository is the one that publishes it',
      run: async ({ root }) => {
        const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
        expectEqual(manifest.private, undefined, 'private')
        const url = 'git+https://github.com/lightwatch/lightwatch-checkpoint.git'
        expectEqual(manifest.repository.url, url, 'repository.url')
      },
    },
    {
      title: 'installed from its tarball: files, README, types, entries, command, publint, attw',
      run: async ({ run, root }) => {
        await run('npx', ['--no-install', 'ava', 'test/package/consumer.proof.ts'], { cwd: root })
      },
    },
  ],
}
