/** The crate of crates.io. */

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expectAll, expectEqual, expectNone, type PackageCheck } from './package-check.js'
import { exampleOf, giveCheckpoint, readmeOf } from './readme.js'

export const rust: PackageCheck = {
  name: 'crates.io',
  needs: ['cargo', 'tar'],
  steps: [
    {
      title: 'cargo package makes a crate, and builds what is in it',
      run: async ({ run, root }) => {
        // In the folder of other builds, which has the dependencies compiled.
        await run('cargo', ['package', '--quiet', '--allow-dirty'], {
          cwd: join(root, 'bindings/rust'),
        })
      },
    },
    {
      title: 'it has the licence and the README, and no program',
      run: async ({ run, root, version }) => {
        const crate = `lightwatch-checkpoint-${version}`
        await run('tar', ['xzf', join(root, `bindings/rust/target/package/${crate}.crate`)])
        await run('mv', [crate, 'crate'])
        const files = (await run('find', ['.', '-type', 'f'], { cwd: 'crate' })).split('\n')
        expectAll(files, ['./LICENSE', './README.md', './Cargo.toml', './src/lib.rs'], 'the crate')
        expectNone(files, /src\/bin|tests\/|\.ckpt$/, 'the crate')
        const manifest = await run('cat', ['crate/Cargo.toml'])
        expectNone(manifest.split('\n'), /^\[\[bin\]\]/, 'Cargo.toml')
      },
    },
    {
      title: 'its documentation builds on its own, without a warning',
      run: async ({ run, folder }) => {
        const env = { RUSTDOCFLAGS: '-D warnings', CARGO_TARGET_DIR: join(folder, 'target') }
        await run('cargo', ['doc', '--quiet', '--no-deps'], { cwd: join(folder, 'crate'), env })
      },
    },
    {
      title: 'a program with the example of the README depends on it, and runs',
      run: async ({ run, folder, root }) => {
        const cwd = join(folder, 'user')
        await mkdir(join(cwd, 'src'), { recursive: true })
        await writeFile(
          join(cwd, 'Cargo.toml'),
          '[package]\nname = "user"\nversion = "1.0.0"\nedition = "2021"\n\n' +
            '[dependencies]\nlightwatch-checkpoint = { path = "../crate" }\n',
        )
        await writeFile(join(cwd, 'src/main.rs'), exampleOf(await readmeOf(root, 'rust'), 'rust'))
        await giveCheckpoint(root, cwd)
        const env = { CARGO_TARGET_DIR: join(folder, 'target') }
        const printed = await run('cargo', ['run', '--quiet'], { cwd, env })
        expectEqual(printed.split('\n')[0], 'epoch 3, step 1000000007', 'its first line')
      },
    },
  ],
}
