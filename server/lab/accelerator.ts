import { existsSync, readFileSync } from 'node:fs';
import { invalid } from '../domain/errors.js';

export type Accelerator = 'kvm' | 'tcg';

/**
 * `auto` takes KVM only where the processor itself offers virtualisation: /dev/kvm alone proves nothing (a paravirtual KVM has
 * the device, and QEMU dies in it with an assertion or a stock kernel hangs after the BIOS).
 */
export function chooseAccelerator(
  wish: string,
  cpuinfo: string = readFileSync('/proc/cpuinfo', 'utf8'),
  kvmDevice: boolean = existsSync('/dev/kvm'),
): Accelerator {
  if (wish === 'kvm' || wish === 'tcg') return wish;
  if (wish !== 'auto') {
    throw invalid(`"${wish}" is not an accelerator`, { field: '--accel', remedy: 'write auto, kvm or tcg' });
  }
  return kvmDevice && /^flags\s*:.*\b(vmx|svm)\b/m.test(cpuinfo) ? 'kvm' : 'tcg';
}
