import { invalid } from '../domain/errors.js';
import type { Accelerator } from './accelerator.js';

/** The ways a virtual machine can netboot: each is real firmware with its own path to the kernel. */
export const FIRMWARES = ['bios', 'uefi', 'uefi-http', 'secureboot'] as const;
export type Firmware = (typeof FIRMWARES)[number];

interface FirmwareRow {
  /** Words of `-machine q35,…`. */
  readonly machine: string;
  /** OVMF's code (read-only) and variables (copied for each machine); absent for SeaBIOS, which QEMU has inside. */
  readonly flash?: { readonly code: string; readonly variables: string };
  /** More arguments, before the network card. */
  readonly extra: readonly string[];
  /** Words of `-device virtio-net-pci,…`: UEFI has its own driver and must not load QEMU's iPXE ROM. */
  readonly card: string;
  /** MiB unless the operator says otherwise: BIOS shows that 512 suffice; OVMF itself needs about 200 more. */
  readonly memoryMiB: number;
}

const OVMF = '/usr/share/OVMF';
const fwCfg = (name: string): readonly string[] => ['-fw_cfg', `name=opt/org.tianocore/${name},string=n`];

const ROWS: Readonly<Record<Firmware, FirmwareRow>> = {
  // graphics=off makes SeaBIOS and iPXE talk on the serial port; without it a BIOS boot looks hung.
  bios: { machine: 'graphics=off', extra: [], card: '', memoryMiB: 512 },
  uefi: {
    machine: 'graphics=off',
    flash: { code: `${OVMF}/OVMF_CODE_4M.fd`, variables: `${OVMF}/OVMF_VARS_4M.fd` },
    extra: fwCfg('IPv6PXESupport'),
    card: ',romfile=',
    memoryMiB: 1024,
  },
  'uefi-http': {
    machine: 'graphics=off',
    flash: { code: `${OVMF}/OVMF_CODE_4M.fd`, variables: `${OVMF}/OVMF_VARS_4M.fd` },
    extra: [...fwCfg('IPv4PXESupport'), ...fwCfg('IPv6PXESupport')],
    card: ',romfile=',
    memoryMiB: 1024,
  },
  secureboot: {
    machine: 'graphics=off,smm=on',
    flash: { code: `${OVMF}/OVMF_CODE_4M.ms.fd`, variables: `${OVMF}/OVMF_VARS_4M.ms.fd` },
    // Only code in system management mode may write the variables that hold the keys.
    extra: [...fwCfg('IPv6PXESupport'), '-global', 'driver=cfi.pflash01,property=secure,value=on'],
    card: ',romfile=',
    memoryMiB: 1024,
  },
};

export interface VirtualMachine {
  readonly name: string;
  readonly mac: string;
  readonly uuid: string;
  readonly serial: string;
  readonly firmware: Firmware;
  readonly tap: string;
  readonly memoryMiB?: number;
  /** Folder with this machine's variables, console socket and log. */
  readonly folder: string;
}

/** The file that must be copied to `variablesFile(machine)` before the start; undefined for BIOS. */
export const variablesTemplate = (firmware: Firmware): string | undefined => ROWS[firmware].flash?.variables;
export const variablesFile = (machine: VirtualMachine): string => `${machine.folder}/${machine.name}.vars.fd`;
/** Everything the machine wrote on its serial port. */
export const consoleLog = (machine: VirtualMachine): string => `${machine.folder}/${machine.name}.serial.log`;
/** Talks to the serial port. */
export const consoleSocket = (machine: VirtualMachine): string => `${machine.folder}/${machine.name}.serial.sock`;
/** QEMU's control socket (QMP): reset, power off. */
export const controlSocket = (machine: VirtualMachine): string => `${machine.folder}/${machine.name}.qmp.sock`;

/** QEMU separates words by commas and reads a doubled one as itself. */
const quoted = (path: string): string => path.replaceAll(',', ',,');

/** The whole command line of qemu-system-x86_64. `extra` goes to the end (tests put a packet filter there). */
export function qemuArguments(
  machine: VirtualMachine,
  accelerator: Accelerator,
  extra: readonly string[] = [],
): readonly string[] {
  const row = ROWS[machine.firmware];
  const flash =
    row.flash === undefined
      ? []
      : [
          '-drive',
          `if=pflash,format=raw,unit=0,readonly=on,file=${row.flash.code}`,
          '-drive',
          `if=pflash,format=raw,unit=1,file=${quoted(variablesFile(machine))}`,
        ];
  return [
    ...['-name', `${machine.name},process=lab-${machine.name}`],
    ...['-machine', `q35,accel=${accelerator},${row.machine}`],
    ...['-cpu', accelerator === 'kvm' ? 'host' : 'max', '-m', String(machine.memoryMiB ?? row.memoryMiB)],
    ...['-uuid', machine.uuid, '-smbios', `type=1,manufacturer=anybios,product=lab,serial=${machine.serial}`],
    ...['-nodefaults', '-display', 'none'],
    ...[
      '-chardev',
      `socket,id=console,path=${quoted(consoleSocket(machine))},server=on,wait=off,logfile=${quoted(consoleLog(machine))}`,
    ],
    ...['-serial', 'chardev:console', '-qmp', `unix:${quoted(controlSocket(machine))},server=on,wait=off`],
    ...flash,
    ...row.extra,
    // vnet_hdr=off: frames on the tap are plain Ethernet, which a packet filter in a test can read.
    ...['-netdev', `tap,id=net0,ifname=${machine.tap},script=no,downscript=no,vnet_hdr=off`],
    ...['-device', `virtio-net-pci,netdev=net0,mac=${machine.mac}${row.card}`],
    ...['-boot', 'n'],
    ...extra,
  ];
}

/** Reads `bios,uefi`. Throws `invalid`. */
export function parseFirmwares(text: string): readonly Firmware[] {
  const words = text.split(',').map((word) => word.trim());
  return words.map((word) => {
    const found = FIRMWARES.find((firmware) => firmware === word);
    if (found === undefined) {
      throw invalid(`"${word}" is not a firmware of the lab`, {
        field: '--firmware',
        remedy: `choose from ${FIRMWARES.join(', ')}`,
      });
    }
    return found;
  });
}
