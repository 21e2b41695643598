import { describe, expect, it } from 'vitest';
import { AgentOfferError, checkAgentOffers, offeredResources } from './agent-offers.ts';
import type { UpOptions } from './process-plan.ts';

const one: UpOptions = { clusters: 1, agents: 1, hypervisor: 'libvirt' };
const offering = (
  agentResources: string,
  agentAttributes: string,
  more: object = {},
): UpOptions => ({
  ...{ ...one, agentResources, agentAttributes },
  ...more,
});
const GPUS = 'gpu_devices:{0000:3b:00.0,0000:af:00.0};gpu_model:A100';

describe('what agents offer beside cores, memory and disk', () => {
  it.each([
    ['nothing', one],
    ['what names no parts of the host', offering('licences:4;hugepages_1g:8', 'rack:r1')],
    ['cards and cores', offering('gpus:2;pinned_cpus:12', `${GPUS};pinned_cpus:[4-15]`)],
    ['a single card', offering('gpus:1', 'gpu_devices:0000:3b:00.0')],
    [
      'simulated ones of several agents',
      offering('gpus:2', GPUS, { agents: 3, hypervisor: 'simulated' }),
    ],
  ])('may be %s', (_what, options) => {
    expect(() => checkAgentOffers(options)).not.toThrow();
  });

  it.each([
    ['other counts than names', offering('gpus:3', GPUS), /counts 3, .* gpu_devices names 2/],
    ['names without a count', offering('', 'pinned_cpus:[4-15]'), /pinned_cpus counts 0.*names 12/],
    ['the same of several agents', offering('gpus:2', GPUS, { agents: 2 }), /start one agent/],
    ['what the machine has', offering('cpus:4', ''), /leave it out/],
    ['ports', offering('ports:[1-9]', '', { hypervisor: 'simulated' }), /leave it out/],
    ['what can not be read', offering('', 'rack'), /--agent-attributes: Invalid/],
  ])('may not be %s', (_what, options, message) => {
    expect(() => checkAgentOffers(options)).toThrow(AgentOfferError);
    expect(() => checkAgentOffers(options)).toThrow(message);
  });

  it('are, of a simulated host, whatever it is told to have', () => {
    const host = { cpus: 8, memoryMiB: 2048, diskMiB: 4096 };
    expect(() =>
      checkAgentOffers(offering('cpus:4', '', { hypervisor: 'simulated' })),
    ).not.toThrow();
    expect(offeredResources(host, '')).toBe('cpus:8;mem:2048;disk:4096');
    expect(offeredResources(host, 'gpus:2')).toBe('cpus:8;mem:2048;disk:4096;gpus:2');
    expect(offeredResources(host, 'cpus:2500;disk:9')).toBe('mem:2048;cpus:2500;disk:9');
  });
});
