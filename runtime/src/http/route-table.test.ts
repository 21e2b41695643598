import { expect, it } from 'vitest';
import { patternToRegExp } from './route-table.ts';

it.each([
  ['/v1/vms/:id', '/v1/vms/vm_1', true],
  ['/v1/vms/:id', '/v1/vms/vm_1/x', false],
  ['/v1/vms/:id', '/v1/vms/', false],
  ['/v1/vms/:id::stop', '/v1/vms/vm_1:stop', true],
  ['/v1/vms/:id::stop', '/v1/vms/vm_1:start', false],
  ['/files/*', '/files/a/b', true],
  ['*', '/anything', true],
  ['/a.b', '/aXb', false],
  ['/n/:n(\\d+)', '/n/12', true],
  ['/n/:n(\\d+)', '/n/x', false],
  ['/:a-:b', '/1-2', true],
])('%s and %s: %s', (pattern, path, matches) => {
  expect(patternToRegExp(pattern).test(path)).toBe(matches);
});
