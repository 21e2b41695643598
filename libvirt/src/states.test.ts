import { describe, expect, it } from 'vitest';
import { lifecycleOf, statusOf } from './states.ts';

// The expected numbers are those of libvirt-domain.h.
describe('libvirt’s numbers as words', () => {
  it.each([
    [0, 0, 'defined', 'added'],
    [1, 0, 'undefined', 'removed'],
    [2, 0, 'started', 'booted'],
    [3, 2, 'suspended', 'io-error'],
    [4, 0, 'resumed', 'unpaused'],
    [5, 0, 'stopped', 'shutdown'],
    [5, 1, 'stopped', 'destroyed'],
    [5, 2, 'stopped', 'crashed'],
    [5, 5, 'stopped', 'failed'],
    [6, 1, 'shutdown', 'guest'],
    [7, 1, 'pm-suspended', 'disk'],
    [8, 0, 'crashed', 'panicked'],
    [5, 99, 'stopped', 'unknown'],
    [99, 0, 'unknown', 'unknown'],
    [-1, -1, 'unknown', 'unknown'],
  ])('event %i/%i is %s/%s', (number, detailNumber, event, detail) => {
    expect(lifecycleOf(number, detailNumber)).toStrictEqual({ event, detail });
  });

  it.each([
    [0, 0, 'no-state', 'unknown'],
    [1, 1, 'running', 'booted'],
    [3, 1, 'paused', 'user'],
    [3, 5, 'paused', 'io-error'],
    [4, 1, 'shutdown', 'user'],
    [5, 1, 'shutoff', 'shutdown'],
    [5, 3, 'shutoff', 'crashed'],
    [5, 6, 'shutoff', 'failed'],
    [5, 8, 'shutoff', 'daemon'],
    [6, 1, 'crashed', 'panicked'],
    [7, 0, 'pm-suspended', 'unknown'],
    [1, 99, 'running', 'unknown'],
    [99, 0, 'unknown', 'unknown'],
  ])('state %i/%i is %s/%s', (number, reasonNumber, state, reason) => {
    expect(statusOf(number, reasonNumber)).toStrictEqual({ state, reason });
  });
});
