import { networkInterfaces } from 'node:os';

type Interfaces = ReturnType<typeof networkInterfaces>;

/**
 * The addresses to listen on one by one: `0.0.0.0` and `::` become all that this computer has of their family. A socket that listens
 * on all of them does not tell which was asked, and clients take an answer from that one only.
 */
export function localAddresses(wanted: readonly string[], interfaces: Interfaces = networkInterfaces()): string[] {
  const all = (family: string): string[] =>
    Object.entries(interfaces).flatMap(([name, infos = []]) =>
      infos
        .filter((info) => info.family === family)
        .map(({ address }) => (address.startsWith('fe80:') ? `${address}%${name}` : address)),
    );
  const every = wanted.flatMap((address) =>
    address === '0.0.0.0' ? all('IPv4') : address === '::' ? all('IPv6') : [address],
  );
  return [...new Set(every)];
}
