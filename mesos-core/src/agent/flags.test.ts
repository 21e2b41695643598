import { SettingsError } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { withDefaultResources } from './detected-resources.ts';
import { inheritableEnvironment } from './executor-environment.ts';
import { FIXED_AGENT_FLAGS } from './fixed-flags.ts';
import { parseEnvironment, readAgentFlags } from './flags.ts';

describe('flags of the agent', () => {
  it("are Mesos' own, with MESOS_ variables behind them", () => {
    const argv = ['--master=m:5050', '--port=5052', '--no-strict', '--recovery_timeout=30mins'];
    const flags = readAgentFlags(argv, { MESOS_WORK_DIR: '/srv/agent', MESOS_PORT: '1' });
    expect(flags).toMatchObject({
      master: 'm:5050',
      port: 5052,
      strict: false,
      workDir: '/srv/agent',
      recoveryTimeoutMs: 1_800_000,
      executorReregistrationTimeoutMs: 2000,
      recover: 'reconnect',
    });
  });

  it('may be those that have only one value here, with that value', () => {
    const fixed = Object.entries(FIXED_AGENT_FLAGS)
      .filter(([, value]) => value !== '')
      .map(([name, value]) => `--${name}=${value}`);
    const argv = ['--master=m:5050', ...fixed, '--no-systemd_enable_support'];
    expect(readAgentFlags(argv, {}).port).toBe(5051);
    expect(() => readAgentFlags(['--containerizers=docker,mesos'], {})).toThrow(
      '--containerizers is always "mesos" here; got "docker,mesos"',
    );
  });

  it('never let the agent besiege a master', () => {
    const flag = '--registration_backoff_factor';
    expect(readAgentFlags(['--master=m:1', `${flag}=1secs`], {}).reconnectBaseMs).toBe(1000);
    expect(() => readAgentFlags(['--master=m:1', `${flag}=0secs`], {})).toThrow(flag);
  });

  it('name everything that is wrong', () => {
    expect(() => readAgentFlags(['--prot=1'], {})).toThrow('--prot is not a flag of the agent');
    const wrong = () => readAgentFlags(['--port=0', '--recovery_timeout=1'], {});
    expect(wrong).toThrow(/--master.*required[\s\S]*--port[\s\S]*--recovery_timeout/);
  });

  it('take the environment of executors as JSON', () => {
    expect(parseEnvironment('{"A":"1"}')).toEqual({ A: '1' });
    for (const wrong of ['', '[]', '{"A":1}', 'null']) {
      expect(() => parseEnvironment(wrong)).toThrow(SettingsError);
    }
  });
});

describe('what executors inherit', () => {
  it('is without secrets and without what is for the agent', () => {
    const environment = {
      ...{ PATH: '/bin', HOME: '/root', MESOS_PORT: '5051', LIBPROCESS_IP: '::' },
      ...{ API_KEY: 'x', DB_PASSWORD: 'x', GITHUB_TOKEN: 'x', DATABASE_URL: 'x' },
    };
    expect(inheritableEnvironment(environment)).toEqual({ PATH: '/bin', HOME: '/root' });
  });
});

describe('resources that are not given', () => {
  const machine = { cpus: 8, memoryMiB: 4096, diskMiB: 8192 };

  it('are all of the machine but a reserve', () => {
    const values = withDefaultResources([], machine).map(({ name, scalar }) => [
      name,
      scalar?.value,
    ]);
    expect(values).toEqual([
      ['cpus', 8],
      ['mem', 3072],
      ['disk', 4096],
      ['ports', undefined],
    ]);
  });

  it('are for the default role', () => {
    const [cpus] = withDefaultResources([], machine, 'eng');
    expect(cpus?.reservations).toEqual([{ type: 'STATIC', role: 'eng' }]);
  });

  it('do not touch those that are', () => {
    const mem = { name: 'mem', type: 'SCALAR' as const, scalar: { value: 1 } };
    const resources = withDefaultResources([mem], machine);
    expect(resources.filter(({ name }) => name === 'mem')).toEqual([mem]);
    expect(resources).toHaveLength(4);
  });
});
