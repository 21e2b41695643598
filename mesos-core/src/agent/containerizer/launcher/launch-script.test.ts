import { expect, it } from 'vitest';
import { launchScripts } from './launch-script.ts';
import { mergeSurroundings } from './surroundings.ts';

const TOOLS = {
  ...{ setsid: 'setsid', env: 'env', setpriv: 'setpriv', prlimit: 'prlimit', unshare: 'unshare' },
  ...{ nsenter: 'nsenter', mount: 'mount', mkdir: 'mkdir', hostname: 'hostname' },
  ...{ realpath: 'realpath', script: 'script', tty: 'tty', stty: 'stty', canResetSignals: false },
};

it('a terminal has its size before its name is written down: who knows it may change the size', () => {
  const { launch } = launchScripts(
    {
      ...{ runtimeDirectory: '/run/c', directory: '/sandbox', command: ['sh', '-c', 'true'] },
      ...{ stdin: '/run/c/stdin', stdout: '/sandbox/stdout', stderr: '/sandbox/stderr' },
      ...{ environment: {}, account: undefined, surroundings: mergeSurroundings([]) },
      terminal: { tty: '/run/c/tty', rows: 30, columns: 100 },
    },
    TOOLS,
  );
  const size = launch.indexOf('stty rows 30 columns 100');
  expect(size).toBeGreaterThan(0);
  expect(launch.indexOf('tty >', size)).toBeGreaterThan(size);
});
