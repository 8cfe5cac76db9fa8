/*
 * Makes writes short, for real: fewer bytes are written than were asked for, and that is said. As a
 * disk does that becomes full, or a network file system at any time. For LD_PRELOAD.
 *
 *   SHORT_CALL   which call, from 1; 0 for every one
 *   SHORT_BYTES  how many bytes it takes at most
 *   SHORT_FULL   if set, the call after it finds the disk full; and then somebody makes room
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static int calls;

ssize_t pwrite64(int file, const void *from, size_t length, off64_t position) {
  static ssize_t (*real)(int, const void *, size_t, off64_t);
  if (real == NULL) real = dlsym(RTLD_NEXT, "pwrite64");
  const char *call = getenv("SHORT_CALL");
  const char *bytes = getenv("SHORT_BYTES");
  if (call == NULL || bytes == NULL) return real(file, from, length, position);
  int which = atoi(call);
  int this = __sync_add_and_fetch(&calls, 1);
  if (getenv("SHORT_FULL") != NULL && this == which + 1) {
    errno = ENOSPC;
    return -1;
  }
  size_t most = (size_t)atol(bytes);
  if ((which == 0 || which == this) && most < length) length = most;
  return length == 0 ? 0 : real(file, from, length, position);
}

ssize_t pwrite(int file, const void *from, size_t length, off_t position) {
  return pwrite64(file, from, length, position);
}
