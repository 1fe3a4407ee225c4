import type { Config } from '../../config.js';
import { describeServer, type ProbedServer, probeDhcpServers } from '../../dhcp/probe.js';
import type { DhcpMode } from '../../domain/site.js';
import { type Check, failed, ok, skipped, warning } from './check.js';

export type Probe = (name: string) => Promise<readonly ProbedServer[]>;

/** Who else gives addresses: one DISCOVER on each interface, all at the same time, 4 s. `full`: somewhere we give them. */
export async function dhcpServerChecks(config: Config, probe: Probe = probeDhcpServers): Promise<readonly Check[]> {
  const modes = new Set<DhcpMode>([config.dhcp.mode, ...config.dhcp.subnets.map(({ mode }) => mode)]);
  if ([...modes].every((mode) => mode === 'off')) return [];
  const isFull = config.dhcp.subnets.some(({ mode }) => mode === 'full');
  const isProxy = config.dhcp.subnets.some(({ mode }) => mode === 'proxy');
  return await Promise.all(
    config.listen.interfaces.map(async (name) => {
      const label = `DHCP on ${name}`;
      if (process.getuid?.() !== 0) return skipped(label, 'who else answers there is asked by root only');
      try {
        return judgeServers(label, await probe(name), { isFull, isProxy });
      } catch (error) {
        return skipped(label, error instanceof Error ? error.message : String(error));
      }
    }),
  );
}

export function judgeServers(
  label: string,
  servers: readonly ProbedServer[],
  { isFull, isProxy }: { readonly isFull: boolean; readonly isProxy: boolean },
): Check {
  const givers = servers.filter(({ offered }) => offered !== undefined);
  const names = servers.map(describeServer).join(', ');
  if (servers.length > 0 && isFull) {
    const remedy = 'turn the other one off, or set mode: proxy for the subnets on this interface';
    return warning(label, `another server answers: ${names}; in mode full both would give addresses`, remedy);
  }
  if (givers.length === 0 && isProxy) {
    const remedy = 'start the DHCP server of the site, check the cabling, or set mode: full';
    return failed(label, 'no DHCP server gives addresses there, and in mode proxy this one does not either', remedy);
  }
  return ok(label, servers.length === 0 ? 'no other server answers' : `answered by ${names}`);
}
