import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { type Clock, type Logger, readJsonIfExists, writeFileAtomic } from '@factory/runtime';
import type { HeldImage } from '../storage/port.ts';

/** What guests can run on here. */
export type Virtualisation = 'kvm' | 'tcg';

/** What the probe needs of the world. */
export interface ProbeWorld {
  /** Whether there is a /dev/kvm that we may open. */
  hasDevice(): Promise<boolean>;
  /** What the verdict depends on: kernel, QEMU, CPU. */
  fingerprint(): Promise<string>;
  /** Boots a guest on KVM; whether it printed `marker` within the deadline. */
  bootsGuest(): Promise<boolean>;
  loadVerdict(): Promise<unknown>;
  saveVerdict(verdict: object): Promise<void>;
}

/**
 * Whether guests really run on KVM here. That /dev/kvm exists is not enough: on some cloud machines
 * a guest hangs in the BIOS. So a guest is booted, once for each kernel, QEMU and CPU; the verdict
 * is remembered.
 */
export async function probeVirtualisation(
  world: ProbeWorld,
  logger: Logger,
): Promise<Virtualisation> {
  if (!(await world.hasDevice())) return 'tcg';
  const fingerprint = await world.fingerprint();
  const known = await world.loadVerdict();
  if (isVerdict(known) && known.fingerprint === fingerprint) return known.virtualisation;
  const virtualisation = (await world.bootsGuest()) ? 'kvm' : 'tcg';
  logger.info({ virtualisation }, 'probed whether guests run on KVM');
  await world.saveVerdict({ fingerprint, virtualisation });
  return virtualisation;
}

function isVerdict(
  value: unknown,
): value is { readonly fingerprint: string; readonly virtualisation: Virtualisation } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'fingerprint' in value &&
    typeof value.fingerprint === 'string' &&
    'virtualisation' in value &&
    (value.virtualisation === 'kvm' || value.virtualisation === 'tcg')
  );
}

/** A guest on working KVM is up in about a second; in the BIOS hang it never is. */
const BOOT_TIMEOUT_MS = 8_000;
const QEMU = 'qemu-system-x86_64';

/** The real world: boots the base image, writes nothing to it. */
export function realProbeWorld(options: {
  readonly clock: Clock;
  /** The image that is booted. */
  readonly image: () => Promise<HeldImage>;
  readonly marker: string;
  readonly verdictFile: string;
}): ProbeWorld {
  const { clock, image, marker, verdictFile } = options;
  return {
    hasDevice: () =>
      access('/dev/kvm', constants.R_OK | constants.W_OK).then(
        () => true,
        () => false,
      ),
    fingerprint: async () => {
      const cpu = /^model name\s*:.*$/m.exec(await readFile('/proc/cpuinfo', 'utf8'))?.[0] ?? '';
      const qemu = await outputOf(QEMU, ['--version']);
      return createHash('sha256').update([release(), cpu, qemu].join('\n')).digest('hex');
    },
    bootsGuest: async () => {
      const held = await image();
      try {
        return await bootsGuest(clock, held, marker);
      } finally {
        held.release();
      }
    },
    loadVerdict: () => readJsonIfExists(verdictFile),
    saveVerdict: (verdict) => writeFileAtomic(verdictFile, JSON.stringify(verdict)),
  };
}

function bootsGuest(clock: Clock, image: HeldImage, marker: string): Promise<boolean> {
  const drive = `file=${image.path},if=virtio,format=${image.format},snapshot=on`;
  const machine = ['-accel', 'kvm', '-m', '128', '-display', 'none', '-nic', 'none'];
  const args = [...machine, '-serial', 'stdio', '-monitor', 'none', '-drive', drive];
  const guest = spawn(QEMU, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let seen = '';
  guest.stdout.on('data', (chunk: Buffer) => {
    seen = (seen + chunk.toString('latin1')).slice(-4096);
    if (seen.includes(marker)) resolve(true);
  });
  guest.once('error', () => resolve(false));
  guest.once('exit', () => resolve(false));
  const timer = clock.after(BOOT_TIMEOUT_MS, () => resolve(false));
  return promise.finally(() => {
    timer.cancel();
    guest.kill('SIGKILL');
  });
}

async function outputOf(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  let output = '';
  for await (const chunk of child.stdout) output += String(chunk);
  return output;
}
