/** Errors as Node makes them of the system's: `ENOSPC: no space left on device, write '/run/a'`. */

const REASONS = {
  EACCES: 'permission denied',
  EBADF: 'bad file descriptor',
  EDQUOT: 'disk quota exceeded',
  EEXIST: 'file already exists',
  EINTR: 'interrupted system call',
  EINVAL: 'invalid argument',
  EIO: 'i/o error',
  EISDIR: 'illegal operation on a directory',
  ELOOP: 'too many symbolic links encountered',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  EPERM: 'operation not permitted',
  EROFS: 'read-only file system',
  EXDEV: 'cross-device link not permitted',
} as const

export type ErrorName = keyof typeof REASONS

export function systemError(code: ErrorName, syscall: string, path: string): NodeJS.ErrnoException {
  const error = new Error(`${code}: ${REASONS[code]}, ${syscall} '${path}'`)
  return Object.assign(error, { code, syscall, path })
}
