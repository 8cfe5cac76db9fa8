/** The browsers that the machine has, each started with a page and a profile of its own. */

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Browser {
  readonly name: string
  /** The program, or undefined where this machine has none. */
  readonly program: string | undefined
  /** What else it needs; the same as `program` where nothing. */
  readonly needs: string
  readonly start: (program: string, profile: string, url: string) => Promise<ChildProcess>
}

const firstOf = (...paths: (string | undefined)[]): string | undefined =>
  paths.find((path) => path !== undefined && existsSync(path))

// Of Chromium and Firefox: nothing of their own that goes out to the network.
const CHROMIUM_FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-port=0',
]

const FIREFOX_PREFERENCES = {
  'app.update.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,',
  'toolkit.telemetry.enabled': false,
}

// WebKitGTK has them, and leaves them off.
const WEBKIT_FEATURES = '--features=+FileSystem,+AccessHandle,+FileSystemWritableStream,+StorageAPI'

export const browsers: readonly Browser[] = [
  {
    name: 'Chromium',
    program: firstOf(process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'),
    needs: 'chromium',
    start: async (program, profile, url) =>
      spawn(program, [...CHROMIUM_FLAGS, `--user-data-dir=${profile}`, url], { stdio: 'ignore' }),
  },
  {
    name: 'Firefox',
    program: firstOf(process.env.FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox'),
    needs: 'firefox-esr',
    async start(program, profile, url) {
      const lines = Object.entries(FIREFOX_PREFERENCES).map(
        ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
      )
      await writeFile(join(profile, 'user.js'), lines.join('\n'))
      const args = ['--headless', '--no-remote', '--profile', profile, url]
      return spawn(program, args, { stdio: 'ignore', env: { ...process.env, HOME: profile } })
    },
  },
  {
    name: 'WebKit',
    program: firstOf(
      process.env.MINIBROWSER,
      '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser',
      '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.0/MiniBrowser',
    ),
    needs: 'webkit2gtk-driver and xvfb',
    start: async (program, profile, url) =>
      spawn('xvfb-run', ['--auto-servernum', program, WEBKIT_FEATURES, url], {
        stdio: 'ignore',
        // Ended as a group: xvfb-run leaves its server behind where it is killed.
        detached: true,
        env: {
          ...process.env,
          HOME: profile,
          XDG_DATA_HOME: profile,
          XDG_CACHE_HOME: profile,
          WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1',
        },
      }),
  },
]

/** Opens a page; the returned function ends the browser and removes what it has written. */
export async function openPage(
  { start }: Browser,
  program: string,
  url: string,
): Promise<{ readonly process: ChildProcess; readonly end: () => Promise<void> }> {
  const profile = await mkdtemp(join(tmpdir(), 'ckpt-browser-'))
  const child = await start(program, profile, url)
  return {
    process: child,
    async end() {
      try {
        process.kill(-child.pid!, 'SIGTERM')
      } catch {
        child.kill('SIGKILL')
      }
      await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
    },
  }
}
