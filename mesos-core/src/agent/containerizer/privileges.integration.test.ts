import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUndiciTransport, silentLogger, systemClock } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContainerInfo } from '../../protocol/index.ts';
import { containerizerFromFlags } from './from-flags.ts';
import { rlimitOption } from './isolators/privileges-isolator.ts';

const isRoot = process.geteuid?.() === 0;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'privileges-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

/** What a command says in a container of these isolators. */
async function run(
  isolation: string,
  value: string,
  container: Partial<ContainerInfo>,
  options: { readonly user?: string | undefined; readonly boundingCapabilities?: string } = {},
): Promise<string> {
  const { user, boundingCapabilities } = options;
  const containerizer = await containerizerFromFlags(
    {
      ...{ workDir: directory, runtimeDir: undefined, launcher: 'posix', isolation },
      ...{ cgroupsRoot: 'mesos', cgroupsEnableCfs: false, cgroupsLimitSwap: false },
      ...{ cgroupsPidsMax: undefined, enforceContainerDiskQuota: false },
      ...{ containerDiskWatchIntervalMs: 1000, imageProviders: '' },
      ...{ dockerStoreDir: undefined, dockerRegistry: '', boundingCapabilities },
    },
    { clock: systemClock, logger: silentLogger, transport: createUndiciTransport() },
  );
  try {
    const sandbox = join(directory, 'sandbox');
    const started = await containerizer.launch(
      {
        ...{ frameworkId: 'f', executorId: 'e', containerId: 'c', directory: sandbox, user },
        ...{ command: { value }, environment: { PATH: '/usr/bin:/bin' }, resources: [] },
        container: { type: 'MESOS', ...container },
      },
      async () => undefined,
    );
    await started.exited;
    await started.forget();
    return await readFile(join(sandbox, 'stdout'), 'utf8');
  } finally {
    await containerizer.close();
  }
}

const NUMBERS = 'grep -E "^(Cap(Eff|Bnd|Amb)|NoNewPrivs)" /proc/self/status';
/** Bit 13 of capabilities(7). */
const NET_RAW = '0000000000002000';

describe.runIf(isRoot)('what a container may do', { timeout: 60_000 }, () => {
  it('is bound by resource limits', async () => {
    const container: Partial<ContainerInfo> = {
      rlimit_info: {
        rlimits: [{ type: 'RLMT_NOFILE', soft: 100, hard: 200 }, { type: 'RLMT_CORE' }],
      },
    };
    const command = 'ulimit -Sn; ulimit -Hn; ulimit -c';
    expect(await run('posix/rlimits', command, container)).toBe('100\n200\nunlimited\n');
    await expect(run('posix/cpu', command, container)).rejects.toThrow(/posix\/rlimits/);
  });

  it('is bound by capabilities, which users other than root have too', async () => {
    const container: Partial<ContainerInfo> = {
      linux_info: { effective_capabilities: { capabilities: ['NET_RAW'] } },
    };
    for (const user of [undefined, 'nobody']) {
      const text = await run('linux/capabilities', NUMBERS, container, { user });
      expect(text).toContain(`CapEff:\t${NET_RAW}`);
      expect(text).toContain(`CapBnd:\t${NET_RAW}`);
    }
    await expect(run('posix/cpu', NUMBERS, container)).rejects.toThrow(/linux\/capabilities/);
    const boundingCapabilities = '{"capabilities":["KILL"]}';
    const beyond = run('linux/capabilities', NUMBERS, container, { boundingCapabilities });
    await expect(beyond).rejects.toThrow('effective capabilities NET_RAW are not among KILL');
  });

  it('does not become more by what it starts', async () => {
    expect(await run('linux/nnp', NUMBERS, {})).toContain('NoNewPrivs:\t1');
    expect(await run('posix/cpu', NUMBERS, {})).toContain('NoNewPrivs:\t0');
  });
});

describe('a resource limit', () => {
  it.each([
    [{ soft: 1, hard: 2 }, /no type/],
    [{ type: 'RLMT_NOFILE', soft: 1 } as const, /both set, or none/],
    [{ type: 'RLMT_NOFILE', soft: 2, hard: 1 } as const, /above the hard one/],
  ])('%j is refused', (limit, why) => {
    expect(() => rlimitOption(limit)).toThrow(why);
  });
});
