import { describe, expect, it } from 'vitest';
import { formatResources } from '../protocol/index.ts';
import { readAgentFlags } from './flags.ts';
import { oversubscribedResources } from './oversubscription.ts';

const NAME = 'org_apache_mesos_FixedResourceEstimator';

function modules(name = NAME, value = 'cpus:14'): string {
  const parameters = { key: 'resources', value };
  return JSON.stringify({ libraries: { file: 'lib.so', modules: { name, parameters } } });
}

function lent(...argv: readonly string[]): string {
  return formatResources(oversubscribedResources(readAgentFlags(['--master=m:1', ...argv], {})));
}

describe('--resource_estimator', () => {
  it('lends out a fixed amount of revocable resources', () => {
    expect(lent(`--resource_estimator=${NAME}`, `--modules=${modules()}`)).toBe('cpus{REV}:14');
    const lists = JSON.stringify({
      libraries: [
        { modules: [{ name: NAME, parameters: [{ key: 'resources', value: 'cpus:2;mem:64' }] }] },
      ],
    });
    expect(lent(`--resource_estimator=${NAME}`, `--modules=${lists}`)).toBe(
      'cpus{REV}:2; mem{REV}:64',
    );
  });

  it('is off by default', () => {
    expect(lent()).toBe('{}');
    expect(lent(`--modules=${modules()}`)).toBe('{}');
  });

  it.each([
    [['--resource_estimator=mine'], /--resource_estimator/],
    [[`--resource_estimator=${NAME}`], /needs 'resources'/],
    [[`--modules=${modules('mine')}`], /knows org_apache.* alone; got "mine"/],
    [['--modules=[]'], /must be a JSON object/],
    [['--modules=no'], /must be JSON/],
    [[`--resource_estimator=${NAME}`, `--modules=${modules(NAME, 'cpus')}`], /missing or extra/],
  ])('%s is refused', (argv, message) => {
    expect(() => lent(...argv)).toThrow(message);
  });
});
