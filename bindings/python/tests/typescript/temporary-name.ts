// Prints a temporary name of the TypeScript library.

import { temporaryName } from '../../../../src/io/file/temporary-file.js'

console.log(temporaryName(process.argv[2] as string))
