import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { VmId } from '@factory/contracts';
import { VmFailure } from '../failures.ts';
import { hardwareReason } from './hardware-failures.ts';
import { domainName } from './names.ts';

/** Where libvirt keeps what QEMU writes to its standard error, a file for each domain. */
const QEMU_LOG_FOLDER = '/var/log/libvirt/qemu';
const TAIL_BYTES_MAX = 16 * 1024;
const WORDS_LENGTH_MAX = 1_000;

/** What a VM's QEMU said in its present or last run; undefined when it said nothing that is known. */
export async function wordsOfQemu(
  vmId: VmId,
  folder = QEMU_LOG_FOLDER,
): Promise<string | undefined> {
  try {
    return wordsIn(await readTail(join(folder, `${domainName(vmId)}.log`)));
  } catch {
    // They are only words: without a log that can be read, what failed is told all the same.
    return undefined;
  }
}

/** The failure with QEMU's own words after the hypervisor's, unless they are among them. */
export function withWords(error: unknown, words: string | undefined): unknown {
  if (!(error instanceof VmFailure) || words === undefined) return error;
  if (error.message.includes(words)) return error;
  const { message, cause, isTransient } = error;
  const isNamed = error.reason !== 'HYPERVISOR_ERROR';
  const reason = isNamed ? error.reason : (hardwareReason(words) ?? error.reason);
  return new VmFailure(reason, `${message} QEMU said: ${words}`, { cause, isTransient });
}

/**
 * QEMU's own lines in the log of a domain, after the last start. libvirt writes lines too: a date,
 * `starting up`, the command line over many lines, and `shutting down` with a reason.
 */
export function wordsIn(log: string): string | undefined {
  const sinceStart = log.slice(log.lastIndexOf(': starting up libvirt'));
  const words = [...sinceStart.matchAll(/^(?:\S+ )?qemu-system-\w+: (.+)$/gm)].map(
    ([, line = '']) => line.trim(),
  );
  return words.length === 0 ? undefined : words.join('; ').slice(-WORDS_LENGTH_MAX);
}

async function readTail(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - TAIL_BYTES_MAX);
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(size - start),
      position: start,
    });
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
