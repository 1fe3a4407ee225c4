import { conflict } from '../domain/errors.js';
import { forgetLabRecord, MARK, readLabRecord } from './lab-record.js';
import { namespaceInode, processesIn, removeNetwork } from './network.js';
import { hasEnvironment, type ProcessProof, proveProcess, signal, stillRuns, waitUntilEnded } from './process-proof.js';

const END_MS = 5_000;

/**
 * Removes what a lab of this name has left: its processes, its namespace with bridge and taps, its record. Only what is proven:
 * processes written down with their start time, processes inside the namespace that carry the lab's mark, the namespace with
 * the inode written down. Synchronous, so that it also works in an `exit` handler. Returns one line for each thing removed.
 * Throws `conflict` when the lab that wrote the record still runs and is not this process.
 */
export function removeLab(namespace: string): readonly string[] {
  const record = readLabRecord(namespace);
  if (record === undefined) return [];
  if (record.owner.pid !== process.pid && stillRuns(record.owner)) {
    throw conflict(`a lab "${namespace}" is running already (process ${record.owner.pid})`, {
      remedy: 'end it with Ctrl-C, or give this one another name with --namespace',
    });
  }
  const inode = namespaceInode(namespace);
  const ours = inode !== undefined && (record.namespaceInode === undefined || record.namespaceInode === inode);
  const done: string[] = [];
  const ended = new Map<number, ProcessProof>();
  const end = (proof: ProcessProof): void => {
    if (signal(proof, 'SIGKILL')) ended.set(proof.pid, proof);
  };
  for (const proof of record.processes) end(proof);
  // Started, but not written down before the lab was killed; and children of the server.
  if (ours) {
    for (const pid of processesIn(namespace)) {
      const proof = ended.has(pid) || pid === process.pid ? undefined : proveProcess(pid);
      if (proof !== undefined && hasEnvironment(pid, MARK, record.mark)) end(proof);
    }
  }
  const left = waitUntilEnded([...ended.values()], END_MS);
  if (left.length > 0) throw conflict(`processes ${left.map((p) => p.pid).join(', ')} do not end`);
  if (ended.size > 0) done.push(`ended ${ended.size} process${ended.size === 1 ? '' : 'es'}`);
  if (ours) {
    removeNetwork(namespace);
    done.push(`removed the network namespace ${namespace}`);
  }
  forgetLabRecord(namespace);
  return done;
}
