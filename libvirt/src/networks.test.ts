import { describe, expect, it } from 'vitest';
import { createNetworks, dhcpHostXml } from './networks.ts';
import type { Rpc } from './rpc.ts';

const NETWORK = { name: 'n', uuid: '00000000-0000-4000-8000-000000000001' };

/** An Rpc that notes its calls and says whether it knows the right order of `networkUpdate`. */
function recordingRpc(supported: boolean): { readonly rpc: Rpc; readonly calls: unknown[] } {
  const calls: unknown[] = [];
  const answer = { supported };
  const rpc: Rpc = {
    call: async (name, args) => {
      calls.push({ name, args });
      return answer as never;
    },
    openStream: () => Promise.reject(new Error('networks have no streams')),
  };
  return { rpc, calls };
}

describe('networks', () => {
  it('escape what goes into XML', () => {
    expect(dhcpHostXml({ mac: 'm', ip: 'i', name: `<a href='x' & "y">` })).toBe(
      `<host mac='m' name='&lt;a href=&apos;x&apos; &amp; &quot;y&quot;&gt;' ip='i'/>`,
    );
    expect(dhcpHostXml({ mac: 'm', ip: 'i' })).toBe(`<host mac='m' ip='i'/>`);
  });

  it.each([
    { supported: true, command: 3, section: 4 },
    { supported: false, command: 4, section: 3 },
  ])('update in the order libvirtd understands ($supported)', async (expected) => {
    const { rpc, calls } = recordingRpc(expected.supported);
    await createNetworks(rpc).addDhcpHost(NETWORK, { mac: 'm', ip: 'i' });
    expect(calls).toStrictEqual([
      { name: 'connectSupportsFeature', args: { feature: 16 } },
      {
        name: 'networkUpdate',
        args: {
          network: NETWORK,
          command: expected.command,
          section: expected.section,
          parentIndex: -1,
          xml: `<host mac='m' ip='i'/>`,
          flags: 3,
        },
      },
    ]);
  });
});
