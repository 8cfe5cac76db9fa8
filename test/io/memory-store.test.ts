import { MemoryStore } from '../support/memory-store.js'
import { storeConforms } from '../support/store-conformance.js'

storeConforms('memory', async () => {
  const store = new MemoryStore()
  return { store: () => store, contents: async () => [...store.files.keys()] }
})
