/**
 * `npm run mutation`: plants one bug at a time in a module and runs that module's tests, which have to
 * fail. MUTATION_GROUP names one group of those below; without it they all run, one after another
 * (scripts/mutation.ts).
 *
 * Text is not mutated: rules and codes are strings that the corpus compares, and the others are
 * messages.
 */
import { groups } from './scripts/mutation-groups.mjs'

const name = process.env.MUTATION_GROUP
const group = groups[name]
if (group === undefined)
  throw new Error(`MUTATION_GROUP is one of ${Object.keys(groups).join(', ')}`)

export default {
  plugins: ['./scripts/mutation-runner.mjs'],
  testRunner: 'in-process',
  testRunnerNodeArgs: ['--import=tsx'],
  mutate: group.mutate,
  mutator: { excludedMutations: ['StringLiteral'] },
  concurrency: 1,
  maxTestRunnerReuse: group.runs ?? 0,
  checkers: [],
  timeoutMS: 15_000,
  // Of the first run, which counts what each test reaches and so takes several times as long.
  timeoutFactor: 0.5,
  ignorePatterns: ['bench', 'bindings', 'dist', 'reports', 'docs', '*.ckpt', '!test/**/*.ckpt'],
  reporters: ['json', 'clear-text', 'progress-append-only'],
  clearTextReporter: { allowColor: false, logTests: false, allowEmojis: false },
  jsonReporter: { fileName: `reports/mutation/${name}.json` },
  tempDirName: '.stryker-tmp',
  allowConsoleColors: false,
  disableTypeChecks: false,
  // Stryker rewrites paths in tsconfig.json with TypeScript's own parser, which TypeScript 7 does not
  // have. Ours has no path that leaves the folder, so it needs none: a name that does not exist.
  tsconfigFile: 'tsconfig.mutation-needs-none.json',
}
