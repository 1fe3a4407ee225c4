import type { DhcpFacts } from '../../server/boot/contract.js';
import type { Claim } from '../../server/domain/boot-session.js';
import { formatIpv4, type Ipv4 } from '../../server/domain/ipv4.js';
import { type Mac, macDashed } from '../../server/domain/mac.js';
import { answerValue, lines, type TestCore } from './boot-core.js';

/** One made-up machine that boots through the real core, step by step, at an address of its own. */
export class SceneMachine {
  readonly #core: TestCore;
  readonly #mac: Mac;
  readonly #address: Ipv4;
  #claim: Claim | undefined;
  /** What its stage 1 has after the claim. */
  credential = '';

  constructor(core: TestCore, mac: Mac, address: Ipv4) {
    this.#core = core;
    this.#mac = mac;
    this.#address = address;
  }

  wait(milliseconds: number): this {
    this.#core.now += milliseconds;
    return this;
  }

  dhcp(client: DhcpFacts['client'], arch = 0): this {
    for (const message of ['discover', 'offer', 'request', 'ack'] as const) {
      const told = message === 'offer' || message === 'ack';
      this.#core.boot.step({
        facts: { mac: this.#mac, client, ...(client === 'pxe' ? { arch } : {}) },
        message,
        ...(told ? { address: this.#address } : {}),
        text: told ? `${message} ${formatIpv4(this.#address)} to ${this.#mac}` : `${message} from ${this.#mac}`,
        data: {},
      });
      this.wait(40);
    }
    return this;
  }

  fetched(protocol: 'tftp' | 'http', name: string, bytes: number): this {
    const requester = { protocol, address: this.#address };
    this.wait(300);
    this.#core.boot.transfer({ requester, name, phase: 'sent', bytes, total: bytes, milliseconds: 300 });
    return this;
  }

  /** DHCP, loader, script, kernel, and stage 1's claim. */
  async toStage1(): Promise<this> {
    this.dhcp('pxe').fetched('tftp', 'undionly.kpxe', 70_000).wait(900).dhcp('ipxe');
    const file = await this.#core.boot.resolve(`boot/ipxe/${macDashed(this.#mac)}`, {
      protocol: 'http',
      address: this.#address,
    });
    const script = file.kind === 'text' ? file.text : '';
    const nonce = /anybios\.nonce=([0-9a-f]+)/.exec(script)?.[1] ?? '';
    this.fetched('http', `/images/sha256/${'a'.repeat(64)}/vmlinuz`, 8_200_000);
    this.fetched('http', `/images/sha256/${'b'.repeat(64)}/initrd`, 3_900_000);
    const answer = await this.#core.reports.claim(
      lines({ nonce, 'claim-id': `claim-of-${macDashed(this.#mac)}`, secureboot: 'none' }),
      this.wait(2000).#address,
    );
    this.credential = answerValue(answer, 'credential');
    this.#claim = await this.#core.claims.authenticate(this.credential);
    return this;
  }

  /** Asks for its turn to load something large: `go`, or `3 of 5`. */
  turn(bytes = 100 << 20): string {
    const answer = this.#core.downloads.turn(this.#claimed(), lines({ file: 'rootfs.squashfs', bytes: String(bytes) }));
    if (answerValue(answer, 'turn') === 'go') return 'go';
    return `${answerValue(answer, 'place')} of ${answerValue(answer, 'waiting')}`;
  }

  async report(values: Readonly<Record<string, string>>): Promise<this> {
    await this.#core.reports.report(this.#claimed(), lines(values));
    return this;
  }

  async toLive(): Promise<this> {
    await this.toStage1();
    return await this.#toLive();
  }

  /** From stage 1 to all systems running. */
  async toEnd(): Promise<this> {
    await this.#toLive();
    await this.system('web', 'running');
    return await this.system('db', 'running');
  }

  async #toLive(): Promise<this> {
    for (const bytes of ['1000000', '4200000', '8000000']) {
      await this.wait(900).report({
        stage: 'rootfs',
        step: 'fetching',
        file: 'rootfs.squashfs',
        bytes,
        total: '8000000',
      });
    }
    await this.report({ stage: 'rootfs', step: 'verified' });
    await this.wait(100).report({ stage: 'rootfs', step: 'mounted' });
    return await this.wait(1500).report({ stage: 'live', step: 'started' });
  }

  system(name: string, state: string, message = ''): Promise<this> {
    return this.wait(200).report({
      stage: 'systems',
      step: 'state',
      system: name,
      state,
      ...(message === '' ? {} : { message }),
    });
  }

  inventory(values: Readonly<Record<string, string | readonly string[]>>): this {
    this.#core.reports.inventory(this.#claimed(), lines(values));
    return this;
  }

  async heartbeat(systems: readonly string[]): Promise<this> {
    await this.#core.systems.heartbeat(this.#claimed(), lines({ system: systems }));
    return this;
  }

  #claimed(): Claim {
    if (this.#claim === undefined) throw new Error('this machine has not claimed its boot');
    return this.#claim;
  }
}
