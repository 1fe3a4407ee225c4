import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { chooseAccelerator } from '../../lab/accelerator.js';
import { FIRMWARES, variablesTemplate } from '../../lab/firmware.js';
import { type Check, ok, warning } from './check.js';

const INSTALL = '"npm run setup" installs what is missing';

/** What only the lab needs: missing parts are warnings. */
export function labChecks(path: string): readonly Check[] {
  return [
    checkAccelerator(readFileSync('/proc/cpuinfo', 'utf8'), existsSync('/dev/kvm')),
    checkPrograms(path),
    checkFirmware(),
  ];
}

/** /dev/kvm alone proves nothing: a paravirtual KVM has it, and stock kernels hang there (docs/hardware.md). */
export function checkAccelerator(cpuinfo: string, device: boolean): Check {
  if (chooseAccelerator('auto', cpuinfo, device) === 'kvm') return ok('lab: kvm', 'KVM is usable');
  const why = device ? '/dev/kvm is there, but the processor shows neither vmx nor svm' : 'there is no /dev/kvm';
  return ok('lab: kvm', `${why}: the lab uses software emulation, which is slower`);
}

function checkPrograms(path: string): Check {
  const missing = ['qemu-system-x86_64', 'ip'].filter((program) => !isInPath(program, path));
  return missing.length === 0
    ? ok('lab: programs', 'qemu-system-x86_64 and ip are there')
    : warning('lab: programs', `${missing.join(' and ')} missing`, INSTALL);
}

function checkFirmware(): Check {
  const missing = FIRMWARES.filter((firmware) => {
    const file = variablesTemplate(firmware);
    return file !== undefined && !existsSync(file);
  });
  return missing.length === 0
    ? ok('lab: firmware', `${FIRMWARES.join(', ')}`)
    : warning('lab: firmware', `no firmware files for ${missing.join(', ')}`, INSTALL);
}

function isInPath(program: string, path: string): boolean {
  return path.split(':').some((folder) => {
    try {
      accessSync(`${folder}/${program}`, constants.X_OK);
      return true;
    } catch {
      // Not in this folder of PATH.
      return false;
    }
  });
}
