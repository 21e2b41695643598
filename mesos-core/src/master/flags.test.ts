import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { answerOf } from '../flag-set.ts';
import { FIXED_MASTER_FLAGS } from './fixed-flags.ts';
import { MASTER_FLAG_SET, masterFlagTexts, readMasterFlags } from './flags.ts';

describe('the flags of the master', () => {
  it('have the defaults of Mesos', () => {
    expect(readMasterFlags([], {})).toMatchObject({
      ...{ ip: '127.0.0.1', port: 5050, workDir: '/var/lib/mesos/master' },
      ...{ agentPingTimeoutMs: 15_000, maxAgentPingTimeouts: 5 },
      ...{ agentReregisterTimeoutMs: 600_000, allocationIntervalMs: 1000 },
      offerTimeoutMs: undefined,
    });
  });

  it('come from the command line before the environment', () => {
    const argv = ['--port=6000', '--agent_ping_timeout=500ms', '--offer_timeout=1mins'];
    const flags = readMasterFlags(argv, { MESOS_PORT: '7000', MESOS_HOSTNAME: 'here' });
    expect(flags).toMatchObject({ port: 6000, agentPingTimeoutMs: 500, hostname: 'here' });
    expect(flags.offerTimeoutMs).toBe(60_000);
  });

  it('tell the allocator what to do', () => {
    expect(readMasterFlags([], {})).toMatchObject({
      ...{ allocator: 'hierarchical', roleSorter: 'drf', frameworkSorter: 'drf' },
      ...{ filterGpuResources: true, minAllocatable: [{ cpus: 0.01 }, { mem: 32 }] },
      ...{ offersDeclinedAtOnce: false, frameworkGroupLabel: undefined },
    });
    const argv = [
      '--role_sorter=random',
      '--no-filter_gpu_resources',
      '--min_allocatable_resources=cpus:1;mem:64|disk:10.5',
      '--min_allocatable_resources_by_role={"eng":"gpus:1"}',
      '--fair_sharing_excluded_resource_names=gpus, disk',
      '--offer_declined_at_once',
      '--framework_group_label=group',
    ];
    expect(readMasterFlags(argv, {})).toMatchObject({
      ...{ roleSorter: 'random', filterGpuResources: false },
      minAllocatable: [{ cpus: 1, mem: 64 }, { disk: 10.5 }],
      minAllocatableByRole: new Map([['eng', [{ gpus: 1 }]]]),
      fairSharingExcludedNames: ['gpus', 'disk'],
      ...{ offersDeclinedAtOnce: true, frameworkGroupLabel: 'group' },
    });
  });

  it("are shown without ZooKeeper's password", () => {
    const argv = ['--zk=zk://mesos:s3cr@t@a:2181,b:2181/mesos'];
    expect(masterFlagTexts(argv, {}).zk).toBe('zk://a:2181,b:2181/mesos');
    expect(masterFlagTexts([], { MESOS_ZK: 'zk://u:p@a/m' }).zk).toBe('zk://a/m');
  });

  it('say where the master is', () => {
    const domain = { fault_domain: { region: { name: 'eu' }, zone: { name: 'eu-1' } } };
    expect(readMasterFlags([`--domain=${JSON.stringify(domain)}`], {}).domain).toEqual(domain);
  });

  it('have the names of the times when agents were called slaves, too', () => {
    const argv = ['--slave_ping_timeout=1secs', '--recovery_slave_removal_limit=50%'];
    const env = { MESOS_MAX_SLAVE_PING_TIMEOUTS: '7', MESOS_AUTHENTICATE_SLAVES: 'false' };
    expect(readMasterFlags(argv, env)).toMatchObject({
      ...{ agentPingTimeoutMs: 1000, recoveryAgentRemovalLimit: 0.5 },
      ...{ maxAgentPingTimeouts: 7, authenticateAgents: false },
    });
    expect(masterFlagTexts(argv, env)).toMatchObject({ max_agent_ping_timeouts: '7' });
  });

  it('may be those that have only one value here, with that value', () => {
    const fixed = Object.entries(FIXED_MASTER_FLAGS).map(([name, value]) => `--${name}=${value}`);
    expect(readMasterFlags([...fixed, '--no-hostname_lookup', '--root_submissions'], {}).port).toBe(
      5050,
    );
    expect(readMasterFlags([], { MESOS_AUTHENTICATORS: 'crammd5' }).port).toBe(5050);
  });

  it('are read from a file where their value is long', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'flags-')), 'domain.json');
    const domain = { fault_domain: { region: { name: 'eu' }, zone: { name: 'eu-1' } } };
    await writeFile(file, JSON.stringify(domain));
    expect(readMasterFlags([`--domain=file://${file}`], {}).domain).toEqual(domain);
    await rm(dirname(file), { recursive: true });
  });

  it('are explained by --help; --version names the Mesos that is followed', () => {
    expect(answerOf(MASTER_FLAG_SET, ['--help'])).toMatch(
      /--agent_ping_timeout=VALUE, --slave_ping_timeout\n {6}agents are asked/,
    );
    expect(answerOf(MASTER_FLAG_SET, ['--version'])).toBe('mesos 1.12.0\n');
    expect(answerOf(MASTER_FLAG_SET, ['--port=1'])).toBeUndefined();
  });

  it('are refused from the environment as well', () => {
    expect(() => readMasterFlags([], { MESOS_HOSTNAME_LOOKUP: 'true' })).toThrow(
      'MESOS_HOSTNAME_LOOKUP is always "false" here; got "true"',
    );
  });

  it.each([
    [['--hostname_lookup'], /--hostname_lookup is always "false" here; got "true"/],
    [['--webui_dir=/srv/ui'], /--webui_dir is always empty here/],
    [['--domain={"fault_domain":{}}'], /JSON such as/],
    [['--allocator=mine'], /hierarchical/],
    [['--min_allocatable_resources=cpus'], /scalars such as/],
    [['--min_allocatable_resources_by_role={"eng":1}'], /JSON such as/],
    [['--prot=6000'], /--prot is not a flag of the master/],
    [['--port=70000'], /port/],
    [['--agent_ping_timeout=15'], /a duration such as/],
    [['--work_dir=relative'], /an absolute path/],
  ])('%s are refused', (argv, message) => {
    expect(() => readMasterFlags(argv, {})).toThrow(message);
  });
});
