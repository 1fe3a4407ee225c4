import type { BootableSystem, PlannedAddress, PlannedNetwork } from '../decide/system-plan.js';
import { formatIpv4 } from '../domain/ipv4.js';
import type { Machine } from '../domain/machine.js';
import type { HealthCheck, SystemStorage } from '../domain/system.js';
import { type AnswerLines, fileLines } from './machine-lines.js';

/** The definition of a system as the machine protocol has it (docs/systems.md, "What the machine is told"). */
export function systemLines(planned: BootableSystem, disks: Machine['disks']): AnswerLines {
  const { system, image, layer, disk, kernel, network, append } = planned;
  return [
    ['name', system.name],
    ['kind', system.kind],
    ...fileLines('image', image),
    ...fileLines('layer', layer),
    ...fileLines('disk', disk),
    ...fileLines('vmlinuz', kernel?.vmlinuz),
    ...fileLines('initrd', kernel?.initrd),
    ...fileLines('modules', kernel?.modules),
    ...given('append', append),
    ['restart', system.restart],
    ...given('memory-bytes', system.memoryBytes),
    ...given('cpus', system.cpus),
    ...storageLines(system.storage, disks),
    ...networkLines(network),
    ...(system.after ?? []).map((name) => ['after', name] as const),
    ...(system.health === undefined ? [] : healthLines(system.health)),
    ...system.command.map((arg) => ['arg', arg] as const),
    ...Object.entries(system.env).map(([key, value]) => ['env', `${key}=${value}`] as const),
  ];
}

function given(key: string, value: string | number | undefined): AnswerLines {
  return value === undefined ? [] : [[key, value]];
}

function storageLines(storage: SystemStorage, disks: Machine['disks']): AnswerLines {
  if (storage === 'ram') return [['storage', 'ram']];
  if ('ramBytes' in storage) {
    return [
      ['storage', 'ram'],
      ['storage-size-bytes', storage.ramBytes],
    ];
  }
  return [
    ['storage', 'label'],
    ['storage-label', storage.label],
    ['storage-path', storage.path],
    ...given('storage-size-bytes', storage.sizeBytes),
    // Only a device that this machine declares may be formatted.
    ...given('storage-device', disks?.[storage.label]),
  ];
}

function networkLines(network: PlannedNetwork): AnswerLines {
  if (network.kind === 'host') return [['network', 'host']];
  return [
    ['network', network.kind],
    ['mac', network.mac],
    ...(network.address === undefined ? [] : addressLines(network.address)),
    ...(network.kind === 'nat'
      ? network.ports.map(({ protocol, from, to }) => ['port', `${protocol} ${from} ${to}`] as const)
      : []),
  ];
}

function addressLines({ address, prefix, gateway, dns }: PlannedAddress): AnswerLines {
  return [
    ['address', `${formatIpv4(address)}/${prefix}`],
    ...given('gateway', gateway === undefined ? undefined : formatIpv4(gateway)),
    ...dns.map((server) => ['dns', formatIpv4(server)] as const),
  ];
}

function healthLines({ check, intervalSeconds, timeoutSeconds, retries }: HealthCheck): AnswerLines {
  const times: AnswerLines = [
    ['health-interval-seconds', intervalSeconds],
    ['health-timeout-seconds', timeoutSeconds],
    ['health-retries', retries],
  ];
  if ('command' in check) {
    return [['health', 'command'], ...check.command.map((arg) => ['health-arg', arg] as const), ...times];
  }
  if ('tcp' in check) return [['health', 'tcp'], ['health-port', check.tcp], ...times];
  return [['health', 'http'], ['health-port', check.http.port], ['health-path', check.http.path], ...times];
}
