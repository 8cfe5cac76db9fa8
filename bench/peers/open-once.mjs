/**
 * Opens a checkpoint and reads one tensor, once, in a new process. Plain JavaScript, because a TypeScript loader would
 * distort the measurement. Arguments: the library's URL, the file, the tensor of the model. Prints seconds as JSON.
 */

const [url, path, name] = process.argv.slice(2)
const start = performance.now()
const { loadCheckpoint } = await import(url)
const imported = performance.now()
const checkpoint = await loadCheckpoint(path)
const first = checkpoint.model.get(name).data[0]
checkpoint.close()
const end = performance.now()
if (first === undefined) throw new Error('an empty tensor')
console.log(JSON.stringify({ import: (imported - start) / 1000, open: (end - imported) / 1000 }))
