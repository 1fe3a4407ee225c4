import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, describe, expect, test } from 'vitest';
import { chooseAccelerator } from '../../server/lab/accelerator.js';
import { FIRMWARES, parseFirmwares, qemuArguments } from '../../server/lab/firmware.js';
import { openLabFolder } from '../../server/lab/lab-folder.js';
import { checkNamespaceName } from '../../server/lab/network.js';
import { bootsAtOnce, labMachines, MACHINES_MAX } from '../../server/lab/site.js';
import { lastLines, plainLines } from '../../server/lab/tail.js';

const temporary = mkdtempSync(`${tmpdir()}/lab-`);
afterAll(() => rmSync(temporary, { recursive: true }));

describe('accelerator', () => {
  const rows: readonly [string, string, boolean, string, string][] = [
    ['Intel with virtualisation', 'auto', true, 'flags\t\t: fpu vmx sse', 'kvm'],
    ['AMD with virtualisation', 'auto', true, 'flags\t\t: fpu svm sse', 'kvm'],
    ['/dev/kvm without the processor flag (paravirtual KVM) proves nothing', 'auto', true, 'flags\t\t: fpu sse', 'tcg'],
    ['the flag without the device', 'auto', false, 'flags\t\t: fpu vmx', 'tcg'],
    ['a flag that only begins alike', 'auto', true, 'flags\t\t: vmxnet', 'tcg'],
    ['the operator decides', 'kvm', false, '', 'kvm'],
  ];
  test.each(rows)('%s', (_why, wish, device, cpuinfo, expected) => {
    expect(chooseAccelerator(wish, cpuinfo, device)).toBe(expected);
  });

  test('another word is refused', () => {
    expect(() => chooseAccelerator('xen', '', false)).toThrow('"xen" is not an accelerator');
  });
});

describe('QEMU lines', () => {
  const machines = labMachines(5, FIRMWARES, '/lab,1');

  test('firmwares in turn, MACs and addresses count up', () => {
    expect(machines.map(({ name, mac, firmware }) => `${name} ${mac} ${firmware}`)).toEqual([
      'n1 52:54:00:77:00:01 bios',
      'n2 52:54:00:77:00:02 uefi',
      'n3 52:54:00:77:00:03 uefi-http',
      'n4 52:54:00:77:00:04 secureboot',
      'n5 52:54:00:77:00:05 bios',
    ]);
    expect(new Set(labMachines(MACHINES_MAX, ['bios'], '/x').map(({ uuid }) => uuid)).size).toBe(MACHINES_MAX);
  });

  test.each(machines.slice(0, 4))('$firmware', (machine) => {
    const line = qemuArguments(machine, 'tcg').join(' ');
    expect(line).toContain(`mac=${machine.mac}`);
    expect(line.includes('pflash')).toBe(machine.firmware !== 'bios');
    expect(line.includes('smm=on')).toBe(machine.firmware === 'secureboot');
    expect(line.includes('OVMF_CODE_4M.ms.fd')).toBe(machine.firmware === 'secureboot');
    expect(line.includes('IPv4PXESupport,string=n')).toBe(machine.firmware === 'uefi-http');
    // QEMU reads a comma as the end of a word.
    expect(line).toContain('logfile=/lab,,1/');
  });

  test('memory: 512 for BIOS, more for OVMF, else as asked', () => {
    const memory = (lines: readonly string[]): string | undefined => lines[lines.indexOf('-m') + 1];
    expect(machines.slice(0, 2).map((machine) => memory(qemuArguments(machine, 'tcg')))).toEqual(['512', '1024']);
    const asked = labMachines(1, ['uefi'], '/x', 700).map((machine) => memory(qemuArguments(machine, 'tcg')));
    expect(asked).toEqual(['700']);
  });

  test('an unknown firmware is refused with those there are', () => {
    expect(() => parseFirmwares('bios,coreboot')).toThrow('"coreboot" is not a firmware');
  });
});

test('emulated machines boot two at a time or one for each processor, others all at once', () => {
  expect([bootsAtOnce('tcg', 1), bootsAtOnce('tcg', 8), bootsAtOnce('kvm', 2)]).toEqual([2, 8, MACHINES_MAX]);
});

describe('the folder of a lab', () => {
  test('is emptied when it is a lab folder', () => {
    const path = `${temporary}/mine`;
    const folder = openLabFolder(path);
    writeFileSync(folder.serverLog, 'old');
    openLabFolder(path);
    expect(readdirSync(path).sort()).toEqual(['.anybios-lab', 'machines']);
  });

  test('is refused, untouched, when it holds other files', () => {
    const path = `${temporary}/theirs`;
    mkdirSync(path);
    writeFileSync(`${path}/thesis.tex`, '');
    expect(() => openLabFolder(path)).toThrow("files that are not the lab's");
    expect(readdirSync(path)).toEqual(['thesis.tex']);
  });

  test('is refused when a unix socket in it would have too long a name', () => {
    expect(() => openLabFolder(`${temporary}/${'x'.repeat(90)}`)).toThrow('too long for the sockets');
  });
});

test.each(['', '../x', 'a b', '-n', 'x'.repeat(33)])('"%s" is no name for a namespace', (name) => {
  expect(() => checkNamespaceName(name)).toThrow('not a name for a network namespace');
});

test('console output is shown without its control codes', () => {
  expect(plainLines('\u001b[2J\u001b[01;01HiPXE 1.0\r\n\r\n\u001b[0;1mok\u001b[0m\b\r\nlast')).toEqual([
    'iPXE 1.0',
    'ok',
    'last',
  ]);
  writeFileSync(`${temporary}/log`, 'one\ntwo\nthree\n');
  expect(lastLines(`${temporary}/log`, 2)).toEqual(['two', 'three']);
  expect(lastLines(`${temporary}/none`, 2)).toEqual([]);
});
