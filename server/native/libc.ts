import koffi from 'koffi';

/**
 * The calls that Node does not offer: sockets bound to one interface, packet sockets, and many datagrams in one system call.
 * Addresses are numbers: places in an Arena, which never moves. All answer -1 on failure; the reason is koffi.errno().
 */
interface Libc {
  readonly socket: (domain: number, type: number, protocol: number) => number;
  readonly setsockopt: (fd: number, level: number, name: number, value: Uint8Array, length: number) => number;
  /** setsockopt(SO_ATTACH_FILTER) with a `struct sock_fprog`. */
  readonly attach: (fd: number, level: number, name: number, filter: object, length: number) => number;
  readonly bind: (fd: number, address: Uint8Array, length: number) => number;
  readonly sendto: (
    fd: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ) => number;
  readonly recv: (fd: number, into: Uint8Array, length: number, flags: number) => number;
  /** `messages`: an array of `struct mmsghdr` (MessageBatch). No time-out: it is looked at after a packet only, so it wakes nobody. */
  readonly recvmmsg: (fd: number, messages: number, count: number, flags: number, timeout: number) => number;
  /** Answers how many were sent; why the next one was not is told by the next call. */
  readonly sendmmsg: (fd: number, messages: number, count: number, flags: number) => number;
  /** `set`: an array of `struct pollfd`. `timeout` in ms, -1 = none. */
  readonly poll: (set: number, count: number, timeout: number) => number;
  readonly eventfd: (initial: number, flags: number) => number;
  readonly getsockopt: (fd: number, level: number, name: number, value: number, length: number) => number;
  readonly getsockname: (fd: number, address: number, length: number) => number;
  readonly close: (fd: number) => number;
  readonly if_nametoindex: (name: string) => number;
}

let libc: Libc | undefined;

/** The C library that runs this process; opened at the first use, since import must do nothing. */
export function c(): Libc {
  if (libc === undefined) {
    const library = koffi.load(null);
    const program = koffi.struct({ length: 'uint16_t', filter: 'const uint8_t *' });
    libc = {
      socket: library.func('int socket(int domain, int type, int protocol)'),
      setsockopt: library.func('int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)'),
      attach: library.func('setsockopt', 'int', ['int', 'int', 'int', koffi.pointer(program), 'uint32_t']),
      bind: library.func('int bind(int fd, const uint8_t *address, uint32_t length)'),
      sendto: library.func(
        'long sendto(int fd, const uint8_t *bytes, size_t length, int flags, const uint8_t *address, uint32_t size)',
      ),
      recv: library.func('long recv(int fd, _Out_ uint8_t *into, size_t length, int flags)'),
      recvmmsg: library.func(
        'int recvmmsg(int fd, uintptr_t messages, unsigned int count, int flags, uintptr_t timeout)',
      ),
      sendmmsg: library.func('int sendmmsg(int fd, uintptr_t messages, unsigned int count, int flags)'),
      poll: library.func('int poll(uintptr_t set, unsigned long count, int timeout)'),
      eventfd: library.func('int eventfd(unsigned int initial, int flags)'),
      getsockopt: library.func('int getsockopt(int fd, int level, int name, uintptr_t value, uintptr_t length)'),
      getsockname: library.func('int getsockname(int fd, uintptr_t address, uintptr_t length)'),
      close: library.func('int close(int fd)'),
      if_nametoindex: library.func('unsigned int if_nametoindex(const char *name)'),
    };
  }
  return libc;
}
