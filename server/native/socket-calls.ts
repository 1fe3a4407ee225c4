import { endianness } from 'node:os';

/** The calls of the C library (Linux) that send a file into a socket without its bytes passing this process. */
export interface SocketCalls {
  readonly epoll_create1: (flags: number) => number;
  readonly epoll_ctl: (epoll: number, operation: number, fd: number, event: Uint8Array) => number;
  readonly epoll_wait: (epoll: number, events: Uint8Array, most: number, milliseconds: number) => number;
  /** `offset`: 8 bytes, moved on by what was sent. */
  readonly sendfile: (socket: number, file: number, offset: Uint8Array, count: number) => number;
  readonly eventfd: (value: number, flags: number) => number;
  readonly read: (fd: number, into: Uint8Array, length: number) => number;
  readonly write: (fd: number, bytes: Uint8Array, length: number) => number;
  readonly socketpair: (domain: number, type: number, protocol: number, pair: Uint8Array) => number;
  readonly ioctl: (fd: number, request: number, value: Uint8Array) => number;
  readonly dup: (fd: number) => number;
  readonly close: (fd: number) => number;
  /** Of the last call that failed. */
  readonly errno: () => number;
}

/** Linux on little-endian 64-bit computers; the layouts below are theirs. Rejects when the C library cannot be reached. */
export async function socketCalls(): Promise<SocketCalls> {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch) || endianness() !== 'LE') {
    throw new Error(`not built for ${process.platform} ${process.arch}`);
  }
  // Optional: without it the files go through streams.
  const { default: koffi } = await import('koffi');
  const library = koffi.load(null);
  return {
    epoll_create1: library.func('int epoll_create1(int flags)'),
    epoll_ctl: library.func('int epoll_ctl(int epoll, int operation, int fd, const uint8_t *event)'),
    epoll_wait: library.func('int epoll_wait(int epoll, uint8_t *events, int most, int milliseconds)'),
    sendfile: library.func('long sendfile(int socket, int file, uint8_t *offset, size_t count)'),
    eventfd: library.func('int eventfd(unsigned int value, int flags)'),
    read: library.func('long read(int fd, uint8_t *into, size_t length)'),
    write: library.func('long write(int fd, const uint8_t *bytes, size_t length)'),
    socketpair: library.func('int socketpair(int domain, int type, int protocol, uint8_t *pair)'),
    ioctl: library.func('int ioctl(int fd, unsigned long request, uint8_t *value)'),
    dup: library.func('int dup(int fd)'),
    close: library.func('int close(int fd)'),
    errno: () => koffi.errno(),
  };
}

/** `struct epoll_event` is packed on x86-64 only (sys/epoll.h): its data then begins at 4, not 8. */
export const EVENT_BYTES = process.arch === 'x64' ? 12 : 16;
export const EVENT_DATA = EVENT_BYTES - 8;

export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EAGAIN = 11;
export const EINTR = 4;
export const EPIPE = 32;
export const ECONNRESET = 104;
/** Bytes of a socket that the other side has not taken yet (tcp(7), SIOCOUTQ). */
export const SIOCOUTQ = 0x5411;
export const EFD_NONBLOCK = 0x800;
export const EFD_CLOEXEC = 0x80000;
export const EPOLL_CLOEXEC = 0x80000;
