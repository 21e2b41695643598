import { describe, expect, it } from 'vitest';
import { readMasterFlags } from './flags.ts';

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

  it.each([
    [['--prot=6000'], /--prot is not a flag of the master/],
    [['--port=70000'], /port/],
    [['--agent_ping_timeout=15'], /a duration such as/],
    [['--work_dir=relative'], /an absolute path/],
  ])('%s are refused', (argv, message) => {
    expect(() => readMasterFlags(argv, {})).toThrow(message);
  });
});
