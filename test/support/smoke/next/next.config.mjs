import { fileURLToPath } from 'node:url'

// The workspace, whose packages and programs the application uses.
const root = fileURLToPath(new URL('../..', import.meta.url))

export default {
  outputFileTracingRoot: root,
  turbopack: { root },
  serverExternalPackages: process.env.EXTERNAL ? ['lightwatch-checkpoint'] : [],
}
