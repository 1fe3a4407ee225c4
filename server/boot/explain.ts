import { chosenOptions, optionName, optionText } from '../decide/options.js';
import { archKey, archOf } from '../domain/arch.js';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import type { Drift, Machine, Observed } from '../domain/machine.js';
import type { Subnet } from '../domain/site.js';
import type { Boot } from './boot.js';
import type { DhcpFacts } from './contract.js';
import { evidenceOf, toldBy } from './evidence.js';
import type { Observations } from './observations.js';
import type { Planner } from './planner.js';
import type { Sessions } from './sessions.js';
import type { Standby } from './standby.js';

export interface ExplainDeps {
  readonly boot: Boot;
  readonly sessions: Sessions;
  readonly observations: Observations;
  readonly planner: Planner;
  readonly standby: Standby;
  readonly leaseAddress: (mac: Mac) => Ipv4 | undefined;
}

interface ExplainLine {
  readonly what: string;
  readonly value: string;
  readonly why: string;
}

/** What a machine would be given now, one line per value, each with its reason. */
export interface Explanation {
  readonly machine: string;
  readonly lines: readonly ExplainLine[];
}

/** What ends a difference, for people. */
const ENDS: Readonly<Record<Drift['ends'], string>> = {
  live: 'it changes while it runs',
  reboot: 'needs a reboot',
  job: 'waits for a job of yours',
  wait: 'waits',
};

/** How the machine differs from that now. */
export function driftLines(drift: readonly Drift[]): readonly ExplainLine[] {
  return drift.map(({ what, system, reason, ends }) => ({
    what: 'differs now',
    value: system === undefined ? what : `${system}: ${what}`,
    why: `${reason}; ${ENDS[ends]}`,
  }));
}

/** Whom the lines are about. */
interface Subject {
  readonly mac: Mac;
  readonly machine: Machine | undefined;
  readonly observed: Observed | undefined;
  readonly subnet: Subnet | undefined;
}

/** From the machine itself down to its kernel command line; firmware that it is known not to have is left out. */
export function explainMachine(
  deps: ExplainDeps,
  key: string,
  { machine, mac }: { readonly machine: Machine | undefined; readonly mac: Mac },
): readonly ExplainLine[] {
  const { planner, observations, sessions, leaseAddress } = deps;
  const observed = observations.get(key);
  const address = machine?.address ?? leaseAddress(mac) ?? sessions.of(key)?.address;
  const subject = { mac, machine, observed, subnet: planner.likelySubnet(address) };
  const plan = planner.plan(mac, machine, { address });
  return [
    {
      what: 'machine',
      value: machine?.name ?? mac,
      why: machine === undefined ? 'seen on the network, not registered' : toldBy(machine),
    },
    addressLine(machine, address),
    {
      what: 'secure boot',
      value: observed?.secureBoot ?? 'unknown',
      why:
        observed?.secureBoot === undefined
          ? 'stage 1 has not reported it, or it was forgotten'
          : 'last report of its stage 1',
    },
    ...standingLines(deps, machine),
    ...firmwareLines(deps, subject),
    ...optionLines(deps, subject),
    ...plan.why.map(({ key: what, value, reason }) => ({ what, value, why: reason })),
    ...(plan.kind === 'boot'
      ? []
      : [{ what: 'boot', value: plan.kind === 'local' ? 'its own disk' : 'nothing', why: plan.reason }]),
  ];
}

/** Who has whose role, and under which lease. */
function standingLines({ standby }: ExplainDeps, machine: Machine | undefined): ExplainLine[] {
  const place = machine === undefined ? undefined : standby.view(machine.standsFor?.name ?? machine.name);
  if (place === undefined) return [];
  const { role, holder, since, why = 'its own role', handing, leaseSeconds, spares } = place;
  const when = since === undefined ? '' : ` (since ${new Date(since).toISOString()})`;
  const whose = machine?.standsFor === undefined ? '' : ` of ${machine.standsFor.name}`;
  const lines = [{ what: 'role', value: `${role}${whose}, held by ${holder}`, why: `${why}${when}` }];
  if (handing !== undefined) {
    const reason = `asked by ${handing.by}; when ${holder} has stopped, or its lease is over`;
    lines.push({ what: 'on its way', value: `to ${handing.to}`, why: reason });
  }
  lines.push({
    what: 'lease',
    value: `${leaseSeconds} s from each heartbeat`,
    why: 'the role has spares: who does not hear from this server stops its systems itself',
  });
  return [...lines, ...spares.map(({ name, unfit = 'fit' }) => ({ what: 'spare', value: name, why: unfit }))];
}

function addressLine(machine: Machine | undefined, address: Ipv4 | undefined): ExplainLine {
  if (address === undefined) return { what: 'address', value: 'none yet', why: 'the next free one of a pool' };
  const why = machine?.address === undefined ? 'its lease' : 'reserved for the machine';
  return { what: 'address', value: formatIpv4(address), why };
}

/** What DHCP would name as the boot file, for each kind of firmware and for iPXE. */
function firmwareLines(deps: ExplainDeps, subject: Subject): ExplainLine[] {
  const { mac, machine, observed, subnet } = subject;
  const firmware: readonly { readonly what: string; readonly facts: DhcpFacts }[] = [
    { what: 'BIOS gets', facts: { mac, client: 'pxe', arch: 0 } },
    { what: 'UEFI gets', facts: { mac, client: 'pxe', arch: 7 } },
    { what: 'UEFI HTTP gets', facts: { mac, client: 'http', arch: 16 } },
    ...otherArchs(deps, subject),
    { what: 'iPXE gets', facts: { mac, client: 'ipxe' } },
  ];
  const mode = subnet?.mode === 'proxy' ? 'proxy' : 'full';
  const lines: ExplainLine[] = [];
  for (const { what, facts } of firmware) {
    if (observed?.arch !== undefined && facts.arch !== undefined && !sameFamily(observed.arch, facts.arch)) continue;
    const offer = deps.boot.bootOffer(
      { ...facts, ...evidenceOf(machine) },
      {
        mode,
        ...(subnet?.loader === undefined ? {} : { loader: subnet.loader }),
        ...(subnet?.bootFiles === undefined ? {} : { bootFiles: subnet.bootFiles }),
      },
    );
    lines.push({
      what,
      value: offer.kind === 'loader' ? offer.file : offer.kind === 'script' ? offer.url : 'no boot file',
      why: offer.reason,
    });
    if (offer.kind === 'loader' && offer.proxyStyle !== undefined) {
      const usual = `the usual one of ${facts.arch === 0 ? 'BIOS' : 'UEFI'} ROMs`;
      lines.push({ what: 'proxy style', value: offer.proxyStyle, why: styleReason(observed) ?? usual });
    }
  }
  return lines;
}

function styleReason(observed: Observed | undefined): string | undefined {
  if (observed?.proxyStyle === undefined) return undefined;
  return observed.proxyStyleProven === true
    ? 'a boot loader was fetched after such an offer'
    : 'offers of the other style led nowhere';
}

/** Architectures besides the four of PCs: what it showed, and what somebody set a boot file for. */
function otherArchs(
  { planner }: ExplainDeps,
  { mac, machine, observed, subnet }: Subject,
): { readonly what: string; readonly facts: DhcpFacts }[] {
  const assigned = planner.assignment(mac, machine);
  const profile = assigned.kind === 'none' ? undefined : assigned.profile;
  const keys = [machine?.bootFiles, profile?.bootFiles, subnet?.bootFiles].flatMap((files) => Object.keys(files ?? {}));
  const archs = new Set([...keys.map(archKey), observed?.arch].filter((arch) => typeof arch === 'number'));
  return [...archs]
    .filter((arch) => ![0, 7, 9, 16].includes(arch))
    .map((arch) => {
      const known = archOf(arch);
      const client = known?.http === true ? 'http' : 'pxe';
      return { what: `${known?.name ?? `arch ${arch}`} gets`, facts: { mac, client, arch } };
    });
}

/** The DHCP options that people set for it, and where. */
function optionLines({ boot }: ExplainDeps, { mac, machine, subnet }: Subject): ExplainLine[] {
  if (subnet !== undefined && subnet.mode !== 'full') return [];
  const role = boot.senderOf({ mac, client: 'os', ...evidenceOf(machine) }).role;
  return Array.from(chosenOptions({ subnet, role, machine }).values(), (option) => ({
    what: optionName(option),
    value: optionText(option),
    why: `set on the ${option.source}`,
  }));
}

function sameFamily(a: number, b: number): boolean {
  const family = (arch: number): string => (arch === 0 ? 'bios' : arch >= 15 ? 'http' : 'uefi');
  return family(a) === family(b);
}
