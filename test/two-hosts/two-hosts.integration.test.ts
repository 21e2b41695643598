import { expect, it } from 'vitest';
import { runTwoHosts } from './run.ts';

/** What guests of two subnets, on two hosts, find when they try each other, the world, and a folder. */
const EXPECTED = {
  'blue-1 peer': 'yes',
  'blue-1 peer-by-name': 'yes',
  'blue-1 full-size-packet': 'yes',
  'blue-1 other-subnet': 'no',
  'blue-1 own-host': 'no',
  'blue-1 control-plane': 'no',
  'blue-1 world': 'yes',
  'blue-1 stolen-address': 'no',
  'blue-1 stolen-mac': 'no',
  'blue-1 honest-again': 'yes',
  'blue-1 file-of-other-host': 'yes',
  'blue-2 peer': 'yes',
  'blue-2 folder-is-mounted': 'yes',
  'blue-2 file-of-other-host': 'yes',
  'red-1 peer': 'yes',
  'red-1 other-subnet': 'no',
  'red-1 world': 'no',
  'red-3 peer': 'yes',
};

it('two hosts in one cluster carry their subnets to each other, apart, share files, and leave nothing', async () => {
  const { output } = await runTwoHosts('main.ts');
  const found = output.matchAll(/^(\S+ \S+) (yes|no)$/gm);
  expect(Object.fromEntries(Array.from(found, ([, what, is]) => [what, is])), output).toEqual(
    EXPECTED,
  );
  expect(output).toContain('host-1 has nothing left');
  expect(output).toContain('host-2 has nothing left');
}, 450_000);
