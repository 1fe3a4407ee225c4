import koffi from 'koffi';

/** The calls that Node does not offer: sockets bound to one interface, and packet sockets. */
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
      close: library.func('int close(int fd)'),
      if_nametoindex: library.func('unsigned int if_nametoindex(const char *name)'),
    };
  }
  return libc;
}
