import type { Machine } from '../domain/machine.js';
import { opaqueHex } from '../domain/opaque-id.js';
import type { DhcpFacts } from './contract.js';

/** What a packet of this machine itself would say besides its MAC: for questions of the kind "what would it be given now". */
export function evidenceOf(machine: Machine | undefined): Pick<DhcpFacts, 'uuid' | 'clientId' | 'relay'> {
  if (machine === undefined) return {};
  const { uuid, clientId, relay } = machine;
  return {
    ...(uuid === undefined ? {} : { uuid }),
    ...(clientId === undefined ? {} : { clientId: opaqueHex(clientId) }),
    ...(relay === undefined
      ? {}
      : {
          relay: {
            ...(relay.circuitId === undefined ? {} : { circuitId: opaqueHex(relay.circuitId) }),
            ...(relay.remoteId === undefined ? {} : { remoteId: opaqueHex(relay.remoteId) }),
          },
        }),
  };
}

/** `registered with 52:54:…, at port switch3/7`: how the machine is told from others. */
export function toldBy({ macs, uuid, clientId, relay }: Machine): string {
  const port = [relay?.remoteId, relay?.circuitId].filter((part) => part !== undefined).join(' / ');
  if (port !== '') return `told by the port it is plugged into: ${port}`;
  const ids = [
    ...(macs.length === 0 ? [] : [macs.join(', ')]),
    ...(macs.length > 0 || uuid === undefined ? [] : [`UUID ${uuid}`]),
    ...(clientId === undefined ? [] : [`client id ${clientId}`]),
  ];
  return `registered with ${ids.join(', ')}`;
}
